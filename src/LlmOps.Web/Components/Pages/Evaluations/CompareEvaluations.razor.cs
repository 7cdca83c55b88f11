using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Evaluations;

/// <summary>Two to six runs on the rows they share: the verdict in words, then the numbers, then the rows. The first is what the others are compared with.</summary>
public sealed partial class CompareEvaluations
{
    private IReadOnlyList<Comparison>? comparisons;
    private IReadOnlyList<Guid> asked = [];
    private IReadOnlyList<string> names = [];
    private IReadOnlyDictionary<string, EvaluationTask> tasks = new Dictionary<string, EvaluationTask>();
    private IReadOnlyList<IReadOnlyList<BelowNoise>> below = [];
    private string? known;
    private string? problem;
    private string seen = "";

    [Inject] private ReadNoise Noise { get; set; } = null!;
    [Inject] private CompareRuns Compare { get; set; } = null!;
    [Inject] private ResolveRuns Resolve { get; set; } = null!;
    [Inject] private ReadEvaluations Evaluations { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [SupplyParameterFromQuery(Name = "a")] private string? A { get; set; }
    [SupplyParameterFromQuery(Name = "b")] private string? B { get; set; }
    /// <summary>Ids, or versions with their variant, separated by commas.</summary>
    [SupplyParameterFromQuery(Name = "runs")] private string? Runs { get; set; }
    [SupplyParameterFromQuery(Name = "suite")] private string? Suite { get; set; }

    private string Title => names.Count == 2 ? $"{names[1]} against {names[0]}" : $"{names.Count - 1} runs against {names[0]}";

    private string Swapped => $"/evaluations/compare?runs={string.Join(',', asked.Skip(1).Append(asked[0]))}";

    protected override async Task OnParametersSetAsync()
    {
        var wanted = Runs ?? string.Join(',', new[] { A, B }.OfType<string>());
        if (seen == wanted + Suite)
            return;
        (seen, comparisons, problem, asked) = (wanted + Suite, null, null, []);
        try
        {
            asked = await Resolve.ResolveAsync(wanted, Suite);
            if (asked.Count < 2)
                return;
            var read = await Compare.CompareAllAsync(asked);
            names = await NamesAsync();
            tasks = read.SelectMany(c => c.Metrics).GroupBy(m => m.Key).ToDictionary(g => g.Key, g => g.First().Task);
            (below, known) = await NoiseAsync(read);
            comparisons = read;
        }
        catch (LlmOpsException e)
        {
            problem = e.Message; // the address is typed by people and kept in bookmarks
        }
    }

    /// <summary>Of each comparison what is below the noise floor, and whose repeats say so; null where there are none.</summary>
    private async Task<(IReadOnlyList<IReadOnlyList<BelowNoise>> Below, string? Known)> NoiseAsync(IReadOnlyList<Comparison> read)
    {
        var (found, basis) = (new List<IReadOnlyList<BelowNoise>>(), (string?)null);
        foreach (var one in read)
        {
            var noise = await Noise.ForComparisonAsync(one.A.Id, one.B.Id);
            basis ??= noise.Count > 0 ? noise[0].Words : null;
            found.Add(BelowNoise.Of(one.Metrics, noise));
        }
        return (found, basis);
    }

    private HashSet<string> Below(int comparison) => [.. below[comparison].Select(b => b.Metric)];

    private async Task<IReadOnlyList<string>> NamesAsync()
    {
        var rows = new List<EvaluationRow>();
        foreach (var id in asked)
            rows.Add((await Evaluations.GetAsync(id)).Row);
        var plain = rows.Select(r => $"{r.Version} {r.Variant}").ToList();
        return plain.Distinct().Count() == plain.Count ? plain : [.. rows.Zip(plain, (r, name) => plain.Count(n => n == name) > 1 ? $"{name} ({r.StartedAt:d MMM HH:mm})" : name)];
    }

    private string RowsAt(string task, string filter) => Navigation.GetUriWithQueryParameters(new Dictionary<string, object?> { ["task"] = task, ["rows"] = filter });

    private string Export(string form) => $"/api/v1/evaluations/comparison/{form}?runs={string.Join(',', asked)}".Replace("comparison/?", "comparison?", StringComparison.Ordinal);
}
