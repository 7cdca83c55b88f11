using LlmOps.Lifecycle.Evaluation;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Evaluations;

/// <summary>Says which differences are smaller than the suite's noise. Read after the comparison is shown: it must not wait for this.</summary>
public sealed partial class NoiseNotes
{
    private readonly List<(string Name, BelowNoise Note)> notes = [];
    private IReadOnlyList<Comparison>? asked;
    private bool read, known;
    private string basis = "";

    [Inject] private ReadNoise Noise { get; set; } = null!;

    [Parameter, EditorRequired] public IReadOnlyList<Comparison> Comparisons { get; set; } = [];
    /// <summary>Of the runs; the first is the one that the others are compared with.</summary>
    [Parameter, EditorRequired] public IReadOnlyList<string> Names { get; set; } = [];

    protected override async Task OnParametersSetAsync()
    {
        if (ReferenceEquals(asked, Comparisons))
            return;
        (asked, read, known) = (Comparisons, false, false);
        notes.Clear();
        foreach (var (i, one) in Comparisons.Index())
        {
            var noise = await Noise.ForComparisonAsync(one.A.Id, one.B.Id);
            known |= noise.Count > 0;
            basis = noise.Count > 0 ? noise[0].Words : basis;
            notes.AddRange(BelowNoise.Of(one.Metrics, noise).Select(n => (Names[i + 1], n)));
        }
        read = true;
    }
}
