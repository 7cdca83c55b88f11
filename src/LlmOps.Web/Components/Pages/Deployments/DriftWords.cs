using LlmOps.Lifecycle.Tracing.Drift;

namespace LlmOps.Web.Components.Pages.Deployments;

/// <summary>What the numbers of a drift mean, for people who do not know their names.</summary>
internal static class DriftWords
{
    public static string Method(string method) => method switch
    {
        "psi" => "how far the shares of ten ranges have moved that were equally full before; 0 is no change, 0.1 some, 0.25 much.",
        "ks" => "the largest difference between the shares of traces below any value; 0 is no change, 1 has nothing in common.",
        "mmd" => "how far apart the questions lie as vectors, before and now; 0 is no change, and noise can make it negative.",
        _ => "the share now less the share before, in percentage points.",
    };

    /// <summary>"by …: 0 before, 3 now; by …"</summary>
    public static string Sources(IReadOnlyList<DriftRefusals> refusals) => string.Join("; ", refusals.Select(r => $"{Source(r.Source)}: {r.Baseline} before, {r.Window} now"));

    private static string Source(string source) => source switch { "signal" => "by the deployment's own signal", "phrase" => "by the policy's phrases", _ => "by English phrases" };
}
