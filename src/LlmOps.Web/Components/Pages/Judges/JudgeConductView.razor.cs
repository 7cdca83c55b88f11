using LlmOps.Engines.Evaluation;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Judges;

/// <summary>Whether place and length move a judge, whether it agrees with itself, and what it cost.</summary>
public sealed partial class JudgeConductView
{
    [Parameter, EditorRequired] public JudgeConduct Conduct { get; set; } = null!;

    private static string Percent(double share) => $"{Display.Number(share * 100, 3)} %";

    private static string Share(Estimate share) => $"{Percent(share.Value)} ({Percent(share.Low)} – {Percent(share.High)}, n = {Display.Count(share.N)})";
}
