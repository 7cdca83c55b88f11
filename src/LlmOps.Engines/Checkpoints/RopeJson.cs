using System.Text.Json;

namespace LlmOps.Engines.Checkpoints;

/// <summary>
/// The rotary settings of <c>config.json</c>. Older files say <c>rope_theta</c> and <c>rope_scaling {type|rope_type …}</c>, newer ones <c>rope_parameters</c> with both inside,
/// or with one such object for each kind of layer.
/// </summary>
internal static class RopeJson
{
    public static double Theta(ConfigJson json, double fallback) =>
        Parameters(json, "full_attention") is { } rope && rope.Find("rope_theta") is not null ? rope.Double("rope_theta", fallback) : json.Double("rope_theta", fallback);

    public static double LocalTheta(ConfigJson json, double fallback) =>
        Parameters(json, "sliding_attention") is { } rope && rope.Find("rope_theta") is not null ? rope.Double("rope_theta", fallback) : json.Double("rope_local_base_freq", fallback);

    public static double PartialFactor(ConfigJson json) =>
        Parameters(json, "full_attention") is { } rope && rope.Find("partial_rotary_factor") is not null ? rope.Double("partial_rotary_factor", 1) : json.Double("partial_rotary_factor", 1);

    public static RopeScaling? Scaling(ConfigJson json)
    {
        var (rope, name) = json.Object("rope_scaling") is { } scaling ? (scaling, "rope_scaling") : (Parameters(json, "full_attention"), "rope_parameters");
        if (rope is null || (rope.Text("rope_type") ?? rope.Text("type")) is not { } type || type == "default")
            return null;
        if (type == "su")
            type = "longrope"; // Phi-3's first name for it
        if (!RopeScaling.Supported.Contains(type))
            throw new UnsupportedModelException($"{ModelConfig.FileName}: {name} of type {type} is not supported; supported: default, {string.Join(", ", RopeScaling.Supported)}.");
        if (type == "yarn" && (rope.Find("mscale") is not null || rope.Find("mscale_all_dim") is not null))
            throw new UnsupportedModelException($"{ModelConfig.FileName}: {name} of type yarn with mscale is not supported; supported: attention_factor or neither.");
        return new RopeScaling
        {
            Type = type,
            Factor = rope.Double("factor", 1),
            LowFreqFactor = rope.Double("low_freq_factor", 1),
            HighFreqFactor = rope.Double("high_freq_factor", 4),
            OriginalContext = rope.Int("original_max_position_embeddings", json.Int("original_max_position_embeddings", 0)),
            BetaFast = rope.Double("beta_fast", 32),
            BetaSlow = rope.Double("beta_slow", 1),
            AttentionFactor = rope.Number("attention_factor"),
            ShortFactor = rope.Numbers("short_factor"),
            LongFactor = rope.Numbers("long_factor"),
        };
    }

    private static ConfigJson? Parameters(ConfigJson json, string layers) =>
        json.Object("rope_parameters") is { } all ? all.Find("full_attention") is null ? all : all.Object(layers) : null;
}
