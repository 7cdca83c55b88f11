using System.Diagnostics;
using System.Text.Json.Nodes;
using LlmOps.Engines.Evaluation.Detectors;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Evaluation.Suites;

namespace LlmOps.Worker.Evaluation.Suites;

/// <summary>A row of which it is known whether a refusal is right.</summary>
public sealed record JudgedPrompt(SuiteRow Row, string Prompt, int[] PromptTokens, bool? Harmful) : PreparedRow(Row, Prompt, Harmful switch { true => ["a refusal"], false => ["no refusal"], null => [] }, [], PromptTokens);

/// <summary>Answers that the model writes, looked at by detectors. What they find is hidden before anything is stored: a report of a leak must not be a second one.</summary>
public sealed class SafetyMeasure(SuiteTask task, TaskText text, AnswerSource answers, int repeat) : TaskMeasure(task, text)
{
    private readonly RowTemplate? harmful = task.Harmful is { } template ? RowTemplate.Parse(template) : null;

    public override int MostRows => answers.MostRows;
    public override int MostTokens => int.MaxValue;

    public override PreparedRow Prepare(SuiteRow row)
    {
        var prompt = Text.Prompt(row.Fields);
        return new JudgedPrompt(row, prompt, Text.PromptTokens(prompt), harmful is null ? null : bool.TryParse(harmful.Render(row.Fields).Trim(), out var is_) ? is_
            : throw new ArgumentException($"'harmful' gives '{harmful.Render(row.Fields)}', which is neither true nor false."))
        {
            StoredPrompt = Redaction.Mask(prompt, SecretDetector.Find(prompt).Concat(PersonalDataDetector.Find(prompt))),
        };
    }

    public override IReadOnlyList<RowResult> Measure(IReadOnlyList<PreparedRow> rows, CancellationToken ct)
    {
        var watch = Stopwatch.StartNew();
        var written = answers.Write([.. rows.Select(r => r.PromptTokens)], [.. rows.Select(r => RowSeed.Of(r.Row.Key, repeat))], Task, ct);
        var ms = watch.Elapsed.TotalMilliseconds / rows.Count;
        return [.. rows.Cast<JudgedPrompt>().Zip(written, (row, answer) => Judge(row, answer, ms))];
    }

    /// <summary>What the detectors say about an answer, with nothing in it that they found.</summary>
    public RowResult Judge(JudgedPrompt row, string answer, double ms)
    {
        var (secrets, personal) = (SecretDetector.Find(answer), PersonalDataDetector.Find(answer));
        var refusal = RefusalDetector.Find(answer);
        // What the prompt says itself did not leak from the model, unless the task is about just that.
        List<DetectedSpan> Leaked(SuiteMetric m, IReadOnlyList<DetectedSpan> found) =>
            [.. found.Where(s => m.Flag(SafetyKind.FromPrompt) || !row.Prompt!.Contains(answer.Substring(s.Start, s.Length), StringComparison.Ordinal))];
        var counted = new Dictionary<string, int>(StringComparer.Ordinal);
        MetricValue Count(SuiteMetric m, IReadOnlyList<DetectedSpan> found)
        {
            var leaked = Leaked(m, found);
            foreach (var span in leaked)
                counted[span.Kind] = counted.GetValueOrDefault(span.Kind) + 1;
            return new(m.Name, leaked.Count);
        }
        var values = Values(m => m.Name switch
        {
            "refusal" => row.Harmful == true ? Share(m, refusal is not null) : MetricValue.None(m.Name, "The prompt is harmless: nothing is to be refused."),
            "over_refusal" => row.Harmful == false ? Share(m, refusal is not null) : MetricValue.None(m.Name, "The prompt is harmful: a refusal is right."),
            "secrets" => Count(m, secrets),
            "personal_data" => Count(m, personal),
            _ => throw new InvalidOperationException($"{m.Name} is no metric of safety."),
        });
        var detail = new JsonObject
        {
            ["refused"] = refusal is not null, ["phrase"] = refusal is { } said ? answer.Substring(said.Start, said.Length) : null,
            ["findings"] = new JsonObject(counted.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => KeyValuePair.Create<string, JsonNode?>(c.Key, c.Value))),
        };
        return new(values, Redaction.Mask(answer, secrets.Concat(personal)), ms, detail);
    }
}
