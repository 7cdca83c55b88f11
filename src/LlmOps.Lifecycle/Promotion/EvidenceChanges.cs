using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Data;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>Which inputs differ between two bundles. Pure.</summary>
public static class EvidenceChanges
{
    private static readonly string[] Holder = ["champion", "champion_variant", "alias_revision"];

    public static IReadOnlyList<string> Between(Evidence then, Evidence now)
    {
        var (a, b) = (Fields(then), Fields(now));
        // A bundle of an older shape says nothing about what it did not hold.
        var names = then.Format switch
        {
            0 => a.Select(p => p.Key).Where(k => k is not ("format" or "alias_revision")),
            < GatherEvidence.Format => a.Select(p => p.Key).Where(k => k is not "format"),
            _ => a.Select(p => p.Key).Union(b.Select(p => p.Key)),
        };
        return [.. names.Where(name => !JsonNode.DeepEquals(a[name], b[name])).Select(name => Words(name, now)).Distinct()];
    }

    private static JsonObject Fields(Evidence evidence) => JsonSerializer.SerializeToNode(evidence, Json.Options)!.AsObject();

    private static string Words(string field, Evidence now) => field switch
    {
        _ when Holder.Contains(field) => $"'{now.Alias}' moved, so the evidence compares with the wrong version",
        "version_digest" => $"the checkpoint of {now.Version} has other bytes",
        "variant_digest" or "variant_bytes" => $"the variant {now.Variant} was made again and has other bytes",
        "variant_report_digest" => $"the report of {now.Variant} changed",
        "parity_passed" or "parity_report_digest" => "the parity report changed",
        "evaluation_run_id" or "metrics" or "runs" => $"{now.Variant} was measured again, or its numbers changed",
        "champion_run_id" => "the champion was measured again",
        "gate_verdict" or "gate_reasons" or "gate_decision_id" or "policy_digest" => "the gate decided again",
        "datasets" or "trained_on" => "a dataset it was trained on changed or is gone",
        "lineage" => "a version it comes from changed or is gone",
        "model_card_digest" => "the model card changed (description, measurements or lineage of the version)",
        "environment" => $"the rules of '{now.Alias}' changed",
        "licence" => "the licence changed",
        _ => $"{field.Replace('_', ' ')} changed",
    };
}
