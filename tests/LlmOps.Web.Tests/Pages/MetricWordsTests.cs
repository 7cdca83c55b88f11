using LlmOps.Lifecycle.Evaluation;
using LlmOps.Web.Components.Shared;
using Evaluations = LlmOps.Web.Components.Pages.Evaluations;
using Models = LlmOps.Web.Components.Pages.Models;

namespace LlmOps.Web.Tests.Pages;

public sealed class MetricWordsTests
{
    [Fact]
    public void EveryMetric_HasANameThatIsNoIdentifier_AndNoTwoAreAlike()
    {
        var labels = EvaluationTasks.All.Select(Models.Measured.Label).ToList();
        Assert.All(labels, l => Assert.DoesNotMatch("[._]", l));
        Assert.Equal(labels.Count, labels.Distinct().Count());
        Assert.All(EvaluationTasks.All, t => Assert.DoesNotMatch("[._]", Evaluations.Measured.Words(t.FullName)));
    }

    [Theory]
    [InlineData("reconstruction", "Reconstruction error", "squared error per pixel", "lower is better", "0.01250 per pixel")]
    [InlineData("sample_distance", "Distance of samples from pictures", "MMD², 0 for one distribution", "lower is better", "0.01250")]
    [InlineData("residuals", "Root mean squared error", "in the target's unit", "lower is better", "0.01250")]
    [InlineData("regression", "Explained variance, R²", "1 explains all, 0 is the mean", "higher is better", "0.01250")]
    [InlineData("classification", "Accuracy", "share", "higher is better", "1.2 %")]
    [InlineData("evidence_bound", "Evidence bound", "bits/pixel", "lower is better", "0.01250 bits/pixel")]
    public void SmallModels_AreMeasuredInWordsAndUnits(string name, string label, string unit, string direction, string text)
    {
        var task = EvaluationTasks.Get(name);
        Assert.Equal((label, label, unit, direction), (Models.Measured.Label(task), Evaluations.Measured.Words(task.FullName), Models.Measured.Unit(task.Unit), MetricWords.Direction(task.HigherIsBetter)));
        Assert.Equal(text, Evaluations.Measured.Text(0.0125, task.Unit).Replace('\u00a0', ' ').Replace('\u202f', ' ').Replace('\u2009', ' '));
    }
}
