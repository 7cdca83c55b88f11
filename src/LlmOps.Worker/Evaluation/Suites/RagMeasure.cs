using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LlmOps.Engines.Evaluation.Generation;
using LlmOps.Engines.Evaluation.Rag;
using LlmOps.Engines.Evaluation.Ranking;
using LlmOps.Engines.Retrieval;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Evaluation.Suites;

namespace LlmOps.Worker.Evaluation.Suites;

/// <summary>A row with what the search found for it.</summary>
public sealed record FoundRow(SuiteRow Row, string Question, string? Prompt, IReadOnlyList<string> Expected, int[] PromptTokens, IReadOnlyList<SearchHit> Hits, IReadOnlyList<string> Relevant, bool OfPassages)
    : PreparedRow(Row, Prompt ?? Question, Expected, [], PromptTokens);

/// <summary>Searches an index as the product's retrieval deployments do, answers from what was found, and measures both.</summary>
public sealed partial class RagMeasure : TaskMeasure
{
    private readonly AnswerSource answers;
    private readonly OpenIndex index;
    private readonly RowTemplate question;
    private readonly RowTemplate? relevant;
    private readonly HashSet<string> passages, documents;
    private readonly int topK, repeat;
    private readonly string way;

    public RagMeasure(SuiteTask task, TaskText text, AnswerSource answers, OpenIndex index, int repeat) : base(task, text)
    {
        (this.answers, this.index, this.repeat, topK, way) = (answers, index, repeat, task.TopK ?? RagKind.DefaultTopK, RagKind.AnswersOf(task));
        (question, relevant) = (RowTemplate.Parse(task.Question!), task.Relevant is { } template ? RowTemplate.Parse(template) : null);
        (passages, documents) = ([.. index.Chunks.Select(c => c.Id)], [.. index.Chunks.Select(c => c.Document)]);
    }

    public override int MostRows => way == RagKind.ByModel ? answers.MostRows : 128;
    public override int MostTokens => int.MaxValue;

    public override PreparedRow Prepare(SuiteRow row)
    {
        var asked = question.Render(row.Fields);
        var hits = index.Search(asked, topK);
        var wanted = Wanted(row.Fields, out var ofPassages);
        // What a reader of the rows wants to see beside the answer: the right one, or else what should have been found.
        IReadOnlyList<string> expected = Text.Targets(row.Fields) is { Count: > 0 } targets ? targets : [string.Join(", ", wanted)];
        if (way != RagKind.ByModel)
            return new FoundRow(row, asked, null, expected, [], hits, wanted, ofPassages);
        var prompt = Text.Prompt(WithContext(row.Fields, asked, hits));
        return new FoundRow(row, asked, prompt, expected, Text.PromptTokens(prompt), hits, wanted, ofPassages);
    }

    public override IReadOnlyList<RowResult> Measure(IReadOnlyList<PreparedRow> rows, CancellationToken ct)
    {
        var found = rows.Cast<FoundRow>().ToList();
        var watch = Stopwatch.StartNew();
        IReadOnlyList<string?> written = way switch
        {
            RagKind.ByModel => (IReadOnlyList<string?>)answers.Write([.. found.Select(r => r.PromptTokens)], [.. found.Select(r => RowSeed.Of(r.Row.Key, repeat))], Task, ct),
            RagKind.Extractive => [.. found.Select(r => ExtractiveAnswer.From(r.Question, r.Hits) is { Found: true } quoted ? quoted.Text : null)],
            _ => [.. found.Select(_ => (string?)null)],
        };
        var ms = watch.Elapsed.TotalMilliseconds / rows.Count;
        return [.. found.Zip(written, (row, answer) => Read(row, answer, ms))];
    }

    private RowResult Read(FoundRow row, string? answer, double ms)
    {
        // Where documents are asked for, the first passage of each stands for it.
        IReadOnlyList<string> keys = [.. row.Hits.Select(h => row.OfPassages ? h.Chunk.Id : h.Chunk.Document)];
        var list = RankedList.InOrder(keys.Distinct(StringComparer.Ordinal), row.Relevant);
        var cited = RagMetrics.Citations(answer ?? "").Where(n => n >= 1 && n <= keys.Count).Select(n => keys[n - 1]).Distinct().ToList();
        var plain = Citation().Replace(answer ?? "", "").Trim();
        MetricValue Of(SuiteMetric m, double? value, string otherwise) => value is { } v ? new(m.Name, v) : MetricValue.None(m.Name, otherwise);
        const string noRelevant = "No passage is relevant to this question.";
        var values = Values(m => m.Name switch
        {
            "mrr" => Of(m, list.ReciprocalRank, noRelevant),
            "map" => Of(m, list.AveragePrecision, noRelevant),
            "answer_f1" => new(m.Name, ShortAnswer.F1(plain, row.Expected)),
            "answer_exact_match" => new(m.Name, ShortAnswer.ExactMatch(plain, row.Expected)),
            "citation_precision" => Of(m, RagMetrics.CitationPrecision(cited, [.. row.Relevant]), "The answer cites nothing."),
            "citation_recall" => Of(m, RagMetrics.CitationRecall(cited, [.. row.Relevant]), noRelevant),
            "groundedness" => Of(m, RagMetrics.Faithfulness(LexicalSupport.Of(answer ?? "", [.. row.Hits.Select(h => h.Chunk.Text)])), "The answer says nothing that could be supported."),
            "answered" => Share(m, plain.Length > 0),
            _ when MetricKind.K(m.Name) is { } k => Of(m, AtK(list, m.Name[..m.Name.IndexOf('@', StringComparison.Ordinal)], k), noRelevant),
            _ => throw new InvalidOperationException($"{m.Name} is no metric of rag."),
        });
        return new(values, answer ?? (way == RagKind.None ? null : ""), ms, Detail(row, list));
    }

    private static double? AtK(RankedList list, string name, int k) => name switch
    {
        "hit" => list.Hit(k),
        "recall" => list.Recall(k),
        "precision" => list.Precision(k),
        _ => list.Ndcg(k, RelevanceGain.Linear),
    };

    private static JsonObject Detail(FoundRow row, RankedList list) => new()
    {
        ["retrieved"] = new JsonArray([.. row.Hits.Select(h => (JsonNode)new JsonObject { ["id"] = h.Chunk.Id, ["score"] = Math.Round(h.Score, 5), ["relevant"] = row.Relevant.Contains(row.OfPassages ? h.Chunk.Id : h.Chunk.Document) })]),
        ["relevant"] = new JsonArray([.. row.Relevant.Select(r => (JsonNode)JsonValue.Create(r))]),
        ["first_relevant_rank"] = list.Ids.Index().Where(i => row.Relevant.Contains(i.Item)).Select(i => (int?)(i.Index + 1)).FirstOrDefault(),
    };

    /// <summary>A name that the index does not have is a mistake of the row: to call it "not found" would blame the search.</summary>
    private List<string> Wanted(JsonElement row, out bool ofPassages)
    {
        ofPassages = false;
        if (relevant is null)
            return [];
        var names = (relevant.Items(row) ?? (relevant.Render(row).Trim() is { Length: > 0 } one ? [one] : [])).Select(n => n.Trim()).Distinct(StringComparer.Ordinal).ToList();
        if (names.FirstOrDefault(n => !passages.Contains(n) && !documents.Contains(n)) is { } unknown)
            throw new ArgumentException($"'{unknown}' is neither a document nor a passage of {Task.Knowledge}.");
        ofPassages = names.Exists(passages.Contains);
        return ofPassages && names.Exists(n => !passages.Contains(n)) ? throw new ArgumentException("The relevant ones are all documents, or all passages, and not both: their ranks could not be compared.") : names;
    }

    private static JsonElement WithContext(JsonElement row, string asked, IReadOnlyList<SearchHit> hits)
    {
        var fields = (JsonObject)JsonNode.Parse(row.GetRawText())!;
        var context = new StringBuilder();
        foreach (var (i, hit) in hits.Index())
            context.Append(CultureInfo.InvariantCulture, $"[{i + 1}] {(hit.Chunk.Heading.Length > 0 ? hit.Chunk.Heading + ": " : "")}{hit.Chunk.Text}\n");
        fields["context"] = context.ToString();
        fields["question"] = asked;
        return JsonSerializer.SerializeToElement(fields);
    }

    [GeneratedRegex(@"\s*\[\s*[0-9]{1,6}(?:\s*[,;]\s*[0-9]{1,6})*\s*\]")]
    private static partial Regex Citation();
}
