using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Web.Components.Pages.Suites;

namespace LlmOps.Web.Tests.Suites;

public sealed class SuiteExampleTests
{
    [Fact]
    public void Examples_AreSuitesThatCanBeUsed_AlsoTwiceInOne()
    {
        foreach (var kind in SuiteExamples.Tasks.Keys)
        {
            var once = SuiteExamples.Append("name: s\ntasks:", kind);
            var document = SuiteDocument.Parse(SuiteExamples.Append(once, kind));
            Assert.Equal([kind, kind], document.Tasks.Select(t => t.Kind));
            Assert.Equal(document.Tasks[0].Name + "-2", document.Tasks[1].Name);
        }
        Assert.Superset(new HashSet<string> { "code", "rag", "latency", "safety" }, SuiteExamples.Tasks.Keys.ToHashSet());
    }
}
