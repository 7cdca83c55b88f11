using LlmOps.Web.Components.Pages.Evaluations;

namespace LlmOps.Web.Tests.Suites;

public sealed class RowDetailTests
{
    [Theory]
    [InlineData("""{"samples":2,"passed":1,"outcomes":[{"passed":true,"exit_code":0,"timed_out":false,"ms":9,"error":""},{"passed":false,"exit_code":1,"timed_out":false,"ms":9,"error":"AssertionError"}]}""", "1 of 2 passed; exit code 1: AssertionError")]
    [InlineData("""{"samples":1,"passed":0,"outcomes":[{"passed":false,"exit_code":null,"timed_out":true,"ms":3000,"error":""}]}""", "0 of 1 passed; ran out of time")]
    [InlineData("""{"retrieved":[{"id":"a.md#1","score":0.03,"relevant":true},{"id":"b.md#2","score":0.02,"relevant":false}],"relevant":["a.md"]}""", "found a.md#1 ✓, b.md#2")]
    [InlineData("""{"retrieved":[]}""", "found nothing")]
    [InlineData("""{"machine":"m","prompt_tokens":7,"new_tokens":16,"load_ms":5,"first_token_ms":[1.24],"latency_ms":[10.04]}""", "7 + 16 tokens; first 1.2 ms, all 10 ms")]
    [InlineData("""{"refused":true,"phrase":"I can't help","findings":{"email":2}}""", "refuses: “I can't help”; email × 2")]
    [InlineData("""{"refused":false,"phrase":null,"findings":{}}""", "nothing found")]
    [InlineData("""{"statistics":[1,2]}""", null)]
    [InlineData(null, null)]
    public void Words_SayWhatARowKeeps(string? json, string? words) => Assert.Equal(words, RowDetail.Words(json));
}
