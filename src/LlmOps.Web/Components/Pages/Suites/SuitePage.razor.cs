using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Suites;

public sealed partial class SuitePage
{
    private SuiteDetail? suite;
    private IReadOnlyList<SuiteNoise> noise = [];
    private EvaluateDialog? run;

    [Inject] private ReadSuites Suites { get; set; } = null!;
    [Inject] private ReadNoise Noise { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }
    [Parameter, EditorRequired] public string Name { get; set; } = "";
    [SupplyParameterFromQuery] private int? Number { get; set; }

    private string? Objection => Actor.Objection(Permission.RunPipelines);

    /// <summary>What of a task's own keys decides its numbers.</summary>
    private static string How(SuiteTask task) => task.Kind switch
    {
        CodeKind.Name => $"{task.Interpreter ?? CodeKind.DefaultInterpreter}, {(task.Samples ?? 1) switch { 1 => "1 program", var n => $"{n} programs" }} a row",
        RagKind.Name => $"searches {task.Knowledge}, {task.TopK ?? RagKind.DefaultTopK} passages, {RagKind.AnswersOf(task) switch { RagKind.ByModel => "the model answers", RagKind.None => "no answer", _ => "answers quoted" }}",
        LatencyKind.Name => $"{task.MaxTokens} new tokens, {(task.Requests ?? 1) switch { 1 => "1 request", var n => $"{n} requests" }} a row, {task.Warmup ?? LatencyKind.DefaultWarmup} before, {(task.Threads ?? 0) switch { 0 => "all processors", 1 => "1 thread", var n => $"{n} threads" }}",
        "generation" or SafetyKind.Name => task.Temperature > 0 ? FormattableString.Invariant($"up to {task.MaxTokens} tokens, temperature {task.Temperature:0.##}") : $"up to {task.MaxTokens} tokens, greedy",
        _ => task.FewShot > 0 ? $"{task.FewShot} examples" : "",
    };

    protected override async Task OnParametersSetAsync()
    {
        suite = await Suites.GetAsync(Name, Number);
        StateHasChanged(); // the rows of repeats may be many: the page does not wait for them
        noise = await Noise.OfSuiteAsync(Name, suite.Number);
    }
}
