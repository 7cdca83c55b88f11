using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Experiments;

/// <summary>How a training ended in the trainer's own judgement: a chip and the sentence that says why.</summary>
public sealed partial class RunVerdict
{
    /// <summary>The word that is stored: "converged", "still-improving", "stuck-at-ln2", …</summary>
    [Parameter, EditorRequired] public string? Verdict { get; set; }
    [Parameter] public string? Text { get; set; }

    private string? Look => Verdict is { Length: > 0 } ? Name(Verdict) : null;

    /// <summary>"still-improving" as the chip knows it: StillImproving.</summary>
    public static string Name(string verdict) => string.Concat(verdict.Split('-', StringSplitOptions.RemoveEmptyEntries).Select(w => char.ToUpperInvariant(w[0]) + w[1..]));
}
