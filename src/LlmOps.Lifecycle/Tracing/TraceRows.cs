using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>Rows of data sets made of traces: what was asked, what was answered, and what people thought of it.</summary>
public static class TraceRows
{
    /// <param name="Prior">The conversation before the answer, oldest first.</param>
    private sealed record Asked(IReadOnlyList<ConversationTurn> Prior, string Answer, int Score)
    {
        public string Key { get; } = Json.Write(Prior);
    }

    /// <summary>Which kinds of data sets traces can be added to.</summary>
    public static IReadOnlyList<DatasetKind> Kinds { get; } = [DatasetKind.Instruction, DatasetKind.Unpaired, DatasetKind.Preference];

    /// <returns>The rows as JSON, and how many traces gave none.</returns>
    public static (IReadOnlyList<string> Rows, int Without) From(IReadOnlyList<TraceDetail> traces, DatasetKind kind)
    {
        var asked = traces.Select(Read).OfType<Asked>().ToList();
        if (kind == DatasetKind.Preference)
        {
            // Two answers to the same conversation, of which people liked one and not the other.
            var pairs = asked.GroupBy(a => a.Key).Select(g => (Best: g.Where(a => a.Score > 0).ToList(), Worst: g.Where(a => a.Score < 0).ToList()))
                .SelectMany(g => g.Best.Zip(g.Worst)).Where(p => p.First.Answer != p.Second.Answer).ToList();
            return ([.. pairs.Select(p => Json.Write(p.First.Prior is [{ Role: "user" } only]
                ? new { prompt = (object)only.Text, chosen = (object)p.First.Answer, rejected = (object)p.Second.Answer }
                : new { prompt = (object)Messages(p.First.Prior), chosen = (object)Messages([new("assistant", p.First.Answer)]), rejected = (object)Messages([new("assistant", p.Second.Answer)]) }))], traces.Count - 2 * pairs.Count);
        }
        var rows = (kind == DatasetKind.Unpaired ? asked.Where(a => a.Score != 0) : asked).Select(a => Row(a, kind)).ToList();
        return (rows, traces.Count - rows.Count);
    }

    private static string Row(Asked asked, DatasetKind kind)
    {
        var alone = asked.Prior is [{ Role: "user" }];
        if (kind == DatasetKind.Unpaired)
            return Json.Write(alone ? new { prompt = (object)asked.Prior[0].Text, completion = (object)asked.Answer, label = asked.Score > 0 }
                : new { prompt = (object)Messages(asked.Prior), completion = (object)Messages([new("assistant", asked.Answer)]), label = asked.Score > 0 });
        return alone ? Json.Write(new { prompt = asked.Prior[0].Text, completion = asked.Answer }) : Json.Write(new { messages = Messages([.. asked.Prior, new("assistant", asked.Answer)]) });
    }

    private static object Messages(IEnumerable<ConversationTurn> turns) => turns.Select(t => new { role = t.Role, content = t.Text }).ToArray();

    /// <summary>The root, when it says what was asked and answered; else the last call of a model.</summary>
    private static Asked? Read(TraceDetail trace)
    {
        foreach (var span in trace.Spans.Where(s => s == trace.Root || (s.Kind != "embeddings" && s.Kind != "span" && GenAiNames.IsInference(s.Kind))).OrderBy(s => s != trace.Root).ThenByDescending(s => s.StartedAt))
            if (span.Error is null && ConversationText.Turns(span.Input, "user") is { Count: > 0 } prior && ConversationText.Turns(span.Output, "assistant") is { Count: > 0 } answer)
                return new(prior, answer[^1].Text, Math.Sign(trace.Feedback.Sum(f => f.Score)));
        return null;
    }
}
