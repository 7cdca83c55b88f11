using System.Globalization;
using System.Text;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Promotion.Attestations;

namespace LlmOps.Lifecycle.Registry;

/// <summary>The card of a version as Markdown, written from the records and from nothing else: what is not recorded is said to be missing.</summary>
public static class ModelCard
{
    public static string Write(VersionDetail version, string modelDescription, Measurements measured, Lineage lineage)
    {
        var text = new StringBuilder();
        text.AppendLine(Invariant($"# {version.Key}")).AppendLine();
        text.AppendLine(modelDescription.Length > 0 ? modelDescription : "_Nobody has described this model yet._").AppendLine();
        text.AppendLine("## Model").AppendLine();
        text.AppendLine(Invariant($"- Made by: {version.Stage}, {version.CreatedAt:yyyy-MM-dd HH:mm} UTC, {version.CreatedBy}"));
        text.AppendLine(Invariant($"- Parameters: {version.Parameters:N0}"));
        text.AppendLine("- Licence: " + (version.Licence.Length > 0 ? version.Licence : "not recorded"));
        text.AppendLine("- Checkpoint: `sha256:" + version.Digest + "`");
        if (lineage.Parents.Count > 0)
            text.AppendLine("- Comes from: " + string.Join(" ← ", lineage.Parents.Select(p => $"{p.Model}/{p.Number} ({p.Stage})")));
        text.AppendLine().AppendLine("## Training data").AppendLine();
        if (lineage.Datasets.Count == 0)
            text.AppendLine("Not recorded.");
        foreach (var data in lineage.Datasets)
            text.AppendLine(data.Exists ? Invariant($"- {data.Key}: {data.Kind!.ToLowerInvariant()}, {data.TrainRows:N0} training rows, `sha256:{data.Digest![..12]}`") : $"- {data.Key}: no longer in this registry");
        if (lineage.Datasets.Count > 0)
            text.AppendLine().AppendLine("Imports split rows by headword: no headword of a held-out row is in a training row.");
        Results(text, measured);
        SuiteResults(text, measured);
        text.AppendLine().AppendLine("## Export").AppendLine();
        text.AppendLine(version.ParityPassed switch
        {
            true => "The exported graph computes what the checkpoint computes; the parity report is stored with this version.",
            false => "The exported graph does **not** compute what the checkpoint computes.",
            null => "Not exported yet.",
        });
        text.AppendLine().AppendLine("## Limits").AppendLine();
        text.AppendLine("The numbers above hold for held-out rows of the datasets named here. Nothing was measured on other text, on bias, or on harmful use.");
        return text.ToString();
    }

    /// <summary>For a card that is handed out. It is no part of the card that people sign: a promotion must not void the other requests of its version.</summary>
    public static string Promotions(IReadOnlyList<AttestationRow> statements) => statements.Count == 0 ? "" :
        "\n## Promotions\n\n" + string.Concat(statements.Select(s => Invariant($"- {s.Alias}: {s.Variant}, {s.At:yyyy-MM-dd HH:mm} UTC{(s.Kind == PromotionKind.Promotion ? "" : $", {s.Kind.ToString().ToLowerInvariant()}")}; signed statement `sha256:{s.StatementDigest}`, key `{s.KeyId}`\n")))
        + "\n`llmops verify` checks a statement without the server.\n";

    private static void Results(StringBuilder text, Measurements measured)
    {
        text.AppendLine().AppendLine("## Results on held-out rows").AppendLine();
        if (measured.Tasks.Count == 0)
        {
            text.AppendLine(measured.Variants.Any(v => v.Suites.Count > 0) ? "Not measured with the built-in tasks; see the suites below." : "Not measured yet.");
            return;
        }
        text.AppendLine("| Variant | " + string.Join(" | ", measured.Tasks.Select(t => $"{t.FullName}, {t.Unit}")) + " |");
        text.AppendLine("|---|" + string.Concat(measured.Tasks.Select(_ => "---|")));
        foreach (var variant in measured.Variants.Where(v => v.Metrics.Count > 0))
            text.AppendLine($"| {variant.Variant} | " + string.Join(" | ", measured.Tasks.Select(t => variant.Metrics.TryGetValue(t.FullName, out var m) ? Cell(m.Value, m.Low, m.High, m.N) : "–")) + " |");
        text.AppendLine().AppendLine("In brackets: 95 % confidence interval and number of rows.");
    }

    private static void SuiteResults(StringBuilder text, Measurements measured)
    {
        foreach (var suite in measured.Variants.SelectMany(v => v.Suites.Select(s => (v.Variant, Suite: s))).GroupBy(p => p.Suite.Suite).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            text.AppendLine().AppendLine("### Suite " + suite.Key).AppendLine();
            text.AppendLine("| Metric | " + string.Join(" | ", suite.Select(s => s.Variant)) + " |").AppendLine("|---|" + string.Concat(suite.Select(_ => "---|")));
            foreach (var metric in suite.SelectMany(s => s.Suite.Metrics).DistinctBy(m => m.Name))
                text.AppendLine("| " + metric.Name + ", " + metric.Unit + " | " + string.Join(" | ", suite.Select(s => s.Suite.Metrics.FirstOrDefault(m => m.Name == metric.Name) is { } m ? Cell(m.Value, m.Low, m.High, m.N) : "–")) + " |");
            text.AppendLine().AppendLine("In brackets: 95 % confidence interval and number of rows.");
            foreach (var judge in suite.SelectMany(s => s.Suite.Judges).Distinct())
                text.AppendLine().AppendLine(judge);
        }
    }

    private static string Cell(double value, double low, double high, int n) =>
        n > 1 ? $"{Number(value)} ({Number(low)} – {Number(high)}, n = {n})" : Number(value);

    private static string Number(double value) => value.ToString(Math.Abs(value) >= 1000 ? "N0" : "0.####", CultureInfo.InvariantCulture);

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
