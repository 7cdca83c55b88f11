using LlmOps.Lifecycle.Evaluation.Judges;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Judges;

public sealed partial class JudgeList
{
    private IReadOnlyList<JudgeRow>? judges;

    [Inject] private ReadJudges Judges { get; set; } = null!;

    /// <summary>Which model it is.</summary>
    internal static string Asked(JudgeDocument judge) => judge.Kind == JudgeDocument.Local ? $"{judge.Version}:{judge.Variant}" : $"{judge.Model} at {judge.Endpoint}";

    protected override async Task OnInitializedAsync() => judges = await Judges.ListAsync();
}
