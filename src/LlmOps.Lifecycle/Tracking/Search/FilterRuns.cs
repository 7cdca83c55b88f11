using System.Text.RegularExpressions;

namespace LlmOps.Lifecycle.Tracking.Search;

/// <param name="Ids">The newest that fit.</param>
/// <param name="More">More fit than are given.</param>
/// <param name="Problem">Why the expression cannot be read, with what to do; null when it can.</param>
public sealed record FilteredRuns(IReadOnlyList<Guid> Ids, bool More, string? Problem);

/// <summary>The expressions of the search, typed by a person: what is wrong with one is an answer, because half-typed ones are usual.</summary>
public sealed partial class FilterRuns(SearchRuns search)
{
    public const int Most = 1000;

    /// <summary>Whether somebody means an expression, and not a part of a name.</summary>
    public static bool IsExpression(string? text) => text is not null && Meant().IsMatch(text);

    public async Task<FilteredRuns> FindAsync(Guid experiment, string filter, CancellationToken ct = default)
    {
        try
        {
            var page = await search.SearchAsync(new RunQuery([experiment], filter, MaxResults: Most), ct);
            return new([.. page.Items.Select(r => r.Id)], page.NextPageToken is not null, null);
        }
        catch (LlmOpsException e) when (e.Code is ErrorCode.InvalidParameterValue or ErrorCode.BadRequest)
        {
            return new([], false, e.Message);
        }
    }

    [GeneratedRegex(@"^[\s(]*(metrics?|params?|parameters?|tags?|attributes?|attr|run|datasets?)\s*\.|[=<>]", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Meant();
}
