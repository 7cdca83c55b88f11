using LlmOps.Web.Components.Shared;
using LlmOps.Worker.Handlers;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>A search for a variant: what it looked for, why it ended and everything that it tried.</summary>
public sealed partial class SearchReportView
{
    [Parameter, EditorRequired] public SearchSummary Search { get; set; } = null!;

    private bool HasSpeed => Search.Candidates.Any(c => c.DecodeTokensPerSecond is { Length: > 0 } || c.PrefillTokensPerSecond is { Length: > 0 });

    private string Took => $"{Search.Candidates.Count(c => c.Kld is not null)} measured of {Search.Candidates.Count} in {Display.Duration(1000 * Search.Seconds)}.";

    private string Key => $"In brackets: 95 % confidence intervals{(Search.Candidates.FirstOrDefault(c => c.Kld is not null)?.Kld is { } kld ? $", n = {Display.Count(kld.N)} held-out texts" : "")}. A limit is judged by the unfavourable end; undecided means that more rows would decide.{(HasSpeed ? $" Speeds are medians of {Search.Candidates.Max(c => c.DecodeTokensPerSecond?.Length ?? c.PrefillTokensPerSecond?.Length ?? 0)} fresh processes." : "")}";

    internal static double Median(double[] values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    private static string Speed(double[]? values) => values is { Length: > 0 } ? Display.Number(Median(values), 3) : "–";
}
