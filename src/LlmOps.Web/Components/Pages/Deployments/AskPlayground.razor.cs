using System.Text.RegularExpressions;
using LlmOps.Engines.Retrieval;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using LlmOps.Web.Serving;
using Microsoft.AspNetCore.Components;
using SearchHit = LlmOps.Engines.Retrieval.SearchHit;

namespace LlmOps.Web.Components.Pages.Deployments;

/// <summary>One question over documents: the answer with its sources beside it.</summary>
public sealed partial class AskPlayground
{
    private sealed record Part(string Text, int? Citation = null);

    private IReadOnlyList<Part> parts = [];
    private AskAnswer? answer;
    private string question = "", asked = "";
    private string? error;
    private int chunks = 5;
    private bool busy;

    [Inject] private AskDeployment Ask { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [Inject] private ILogger<AskPlayground> Log { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public string Deployment { get; set; } = "";

    private string Here => Navigation.Uri.Split('#')[0];

    private async Task AskAsync()
    {
        if (busy || string.IsNullOrWhiteSpace(question)) return;
        (busy, error, asked) = (true, null, question.Trim());
        try
        {
            answer = await Ask.AskAsync(Deployment, asked, chunks, Actor);
            parts = [.. Split(answer)];
        }
        catch (Exception e)
        {
            (answer, error) = (null, Failure.Text(e, Log));
        }
        finally
        {
            busy = false;
        }
    }

    /// <summary>Only the numbers that the answer really cites become links: a document may hold "[3]" itself.</summary>
    private static IEnumerable<Part> Split(AskAnswer answer)
    {
        var cited = answer.Citations.Select(c => c.Number).ToHashSet();
        foreach (var piece in Boundary().Split(answer.Answer))
            yield return CitationPattern().Match(piece) is { Success: true } match && cited.Contains(int.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture))
                ? new("", int.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture)) : new(piece);
    }

    private static Chunk Passage(RetrievedChunk chunk) => new(chunk.Id, chunk.Document, chunk.Heading, chunk.Text, chunk.StartLine);

    private static SearchHit Hit(RetrievedChunk chunk) => new(Passage(chunk), chunk.Score, chunk.Bm25Rank, chunk.DenseRank);

    [GeneratedRegex(@"(?=\[\d{1,3}\])|(?<=\[\d{1,3}\])")]
    private static partial Regex Boundary();

    [GeneratedRegex(@"^\[(\d{1,3})\]$")]
    private static partial Regex CitationPattern();
}
