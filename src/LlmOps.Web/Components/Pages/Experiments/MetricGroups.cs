using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Web.Components.Pages.Experiments;

/// <summary>A chart: metrics that share a scale and are read against each other.</summary>
public sealed record MetricGroup(string Title, IReadOnlyList<string> Keys, bool Log = false)
{
    /// <summary>The chart begins anew when another line joins it.</summary>
    public string Identity => string.Join('|', Keys);
}

/// <summary>Which metrics stand in one chart, and in which order the charts stand.</summary>
public static class MetricGroups
{
    private const string HeldOut = "held_out_";
    private static readonly string[] Order = ["loss", "perplexity", "rewards/accuracies", "rewards/margins", "rewards", "logps", "learning_rate", "gradient_norm", "tokens_per_second"];

    public static IReadOnlyList<MetricGroup> Of(IEnumerable<string> keys) =>
        [.. keys.GroupBy(GroupOf).Select(g => new MetricGroup(Title(g.Key), [.. g.OrderBy(k => k.StartsWith(HeldOut, StringComparison.Ordinal)).ThenBy(k => k, StringComparer.Ordinal)]))
            .OrderBy(g => Array.IndexOf(Order, GroupOf(g.Keys[0])) is >= 0 and var at ? at : Order.Length).ThenBy(g => g.Title, StringComparer.Ordinal)];

    /// <summary>Shares and differences have scales of their own; chosen and rejected belong together.</summary>
    private static string GroupOf(string key) => key switch
    {
        // What is measured on held-out rows is read against the same number on the training rows.
        _ when key.StartsWith(HeldOut, StringComparison.Ordinal) => GroupOf(key[HeldOut.Length..]),
        "rewards/accuracies" or "rewards/margins" => key,
        _ when key.IndexOf('/') is > 0 and var slash => key[..slash],
        _ => key,
    };

    public static string Title(string key) => key switch
    {
        "loss" => "Loss",
        "held_out_loss" => "Held-out loss",
        "learning_rate" => "Learning rate",
        "gradient_norm" => "Gradient norm",
        "tokens_per_second" => "Tokens per second",
        "rewards" => "Rewards",
        "rewards/accuracies" => "Reward accuracy",
        "rewards/margins" => "Reward margin",
        "logps" => "Log-probabilities",
        "reconstruction" => "Reconstruction error",
        "kl" => "Divergence of the code, nats",
        _ => char.ToUpperInvariant(key[0]) + key[1..].Replace('_', ' '),
    };

    public static Shared.CurvePoints Points(Curve curve) => new([.. curve.Steps.Select(s => (double)s)], [.. curve.Series]);
}
