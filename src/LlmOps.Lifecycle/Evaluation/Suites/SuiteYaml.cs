using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <summary>Writes a suite as YAML that <see cref="SuiteDocument.Parse"/> reads as the same suite. What has its default is left out.</summary>
public static class SuiteYaml
{
    public static string Write(SuiteDocument suite)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"name: {suite.Name}\n");
        if (suite.Description.Length > 0)
            text.Append(CultureInfo.InvariantCulture, $"description: {Quote(suite.Description)}\n");
        text.Append("tasks:\n");
        foreach (var task in suite.Tasks)
            Write(text, task);
        return text.ToString();
    }

    private static void Write(StringBuilder text, SuiteTask task)
    {
        text.Append(CultureInfo.InvariantCulture, $"  - name: {task.Name}\n    kind: {task.Kind}\n");
        void Line(string key, string value, bool when) { if (when) text.Append(CultureInfo.InvariantCulture, $"    {key}: {value}\n"); }
        void Words(string key, string value) => Line(key, Quote(value), value.Length > 0);
        void List(string key, IReadOnlyList<string> values) => Line(key, $"[{string.Join(", ", values.Select(Quote))}]", values.Count > 0);
        Line("dataset", task.Dataset!, task.Dataset is not null);
        Line("split", task.Split, task.Split != "held-out");
        Line("limit", task.Limit.ToString(CultureInfo.InvariantCulture), task.Limit > 0);
        Words("prompt", task.Prompt);
        List("choices", task.Choices);
        Words("target", task.Target);
        Words("chosen", task.Chosen);
        Words("rejected", task.Rejected);
        Words("delimiter", task.Delimiter);
        Line("chat", "false", !task.Chat);
        Line("few_shot", task.FewShot.ToString(CultureInfo.InvariantCulture), task.FewShot > 0);
        List("stop", task.Stop);
        Line("max_tokens", task.MaxTokens.ToString(CultureInfo.InvariantCulture), task.MaxTokens != 64);
        Line("temperature", task.Temperature.ToString("R", CultureInfo.InvariantCulture), task.Temperature != 0);
        foreach (var (key, value, number) in KindKeys.Of(task))
            Line(key, value is null ? number?.ToString("R", CultureInfo.InvariantCulture) ?? "" : Quote(value), value is not null || number is not null);
        Line("metrics", $"[{string.Join(", ", task.Metrics.Select(Metric))}]", task.Metrics.Count > 0);
        Line("margins", $"{{ {string.Join(", ", task.Metrics.Where(m => m.Margin is not null).Select(m => FormattableString.Invariant($"{m.Name}: {m.Margin:R}")))} }}", task.Metrics.Any(m => m.Margin is not null));
        Words("slice", task.Slice);
        Words("cluster", task.Cluster);
        Rows("shots", task.Shots);
        Rows("rows", task.Rows);

        void Rows(string key, IReadOnlyList<JsonObject> rows)
        {
            if (rows.Count == 0)
                return;
            text.Append(CultureInfo.InvariantCulture, $"    {key}:\n");
            foreach (var row in rows)
                text.Append(CultureInfo.InvariantCulture, $"      - {Flow(row)}\n");
        }
    }

    private static string Metric(SuiteMetric metric) => metric.Options.Count == 0 ? metric.Name
        : $"{{ metric: {metric.Name}, {string.Join(", ", metric.Options.Select(o => $"{o.Key}: {Quote(o.Value)}"))} }}";

    private static string Flow(JsonNode? node) => node switch
    {
        null => "null",
        JsonObject map => $"{{ {string.Join(", ", map.Select(p => $"{Quote(p.Key)}: {Flow(p.Value)}"))} }}",
        JsonArray list => $"[{string.Join(", ", list.Select(Flow))}]",
        _ when node.GetValueKind() == JsonValueKind.String => Quote(node.GetValue<string>()),
        _ => node.ToJsonString(),
    };

    /// <summary>Double quotes, in which YAML takes every character as it is but these.</summary>
    private static string Quote(string value)
    {
        var text = new StringBuilder("\"");
        foreach (var c in value)
            _ = c switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                < ' ' or '\u007f' or '\u0085' or '\u2028' or '\u2029' or '\uFEFF' => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => text.Append(c),
            };
        return text.Append('"').ToString();
    }
}
