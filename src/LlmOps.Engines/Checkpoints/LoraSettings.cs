using System.Text.Json;
using System.Text.RegularExpressions;

namespace LlmOps.Engines.Checkpoints;

/// <summary>What <c>adapter_config.json</c> of a PEFT folder says about a LoRA adapter (Hu et al. 2021), with the meaning that peft gives it.</summary>
public sealed record LoraSettings
{
    /// <summary>File name inside an adapter folder.</summary>
    public const string FileName = "adapter_config.json";

    // Each of these changes what the adapter computes in a way that A and B alone do not say.
    private static readonly string[] Refused =
    [
        "layer_replication", "megatron_config", "use_qalora", "alora_invocation_tokens", "target_parameters", "trainable_token_indices", "lora_bias",
        "ensure_weight_tying", "arrow_config", "use_bdlora",
    ];

    // Other starts (pissa, olora, corda, loftq…) replace the base weights too: such an adapter belongs to weights that are not the base's.
    private static readonly string[] PlainStarts = ["gaussian", "eva", "orthogonal"];
    private static readonly TimeSpan PatternTime = TimeSpan.FromSeconds(1);

    /// <summary>Rank of modules without a pattern of their own.</summary>
    public required int Rank { get; init; }
    /// <summary>Numerator of the scale of modules without a pattern of their own.</summary>
    public required double Alpha { get; init; }
    /// <summary>Scale α/√r instead of α/r (Kalajdzievski 2023).</summary>
    public bool UseRsLora { get; init; }
    /// <summary>Weight-decomposed adaptation: each output row gets a trained length (Liu et al. 2024).</summary>
    public bool UseDora { get; init; }
    /// <summary>Base weights are <c>[in, out]</c>, as GPT-2's.</summary>
    public bool FanInFanOut { get; init; }
    /// <summary>Ranks by pattern; a pattern matches a module path, or its end after a dot.</summary>
    public IReadOnlyDictionary<string, double> RankPattern { get; init; } = new Dictionary<string, double>();
    /// <summary>Numerators by pattern.</summary>
    public IReadOnlyDictionary<string, double> AlphaPattern { get; init; } = new Dictionary<string, double>();

    /// <summary>Reads an adapter folder.</summary>
    /// <exception cref="InvalidModelException">The file is missing, not JSON, or a value is impossible.</exception>
    /// <exception cref="UnsupportedModelException">The adapter is of another kind, or uses an option that is not computed here; the message names it.</exception>
    public static LoraSettings Read(string adapterFolder)
    {
        var json = ConfigJson.Open(adapterFolder, FileName);
        json.OneOf("peft_type", ["LORA"]);
        json.OneOf("bias", ["none", "lora_only", "all"], "none");
        foreach (var name in Refused)
            if (json.Find(name) is { } value && !IsOff(value))
                throw new UnsupportedModelException($"{FileName}: {name} is {value.GetRawText()}; adapters with this option are not supported.");
        if (json.Find("init_lora_weights") is { ValueKind: JsonValueKind.String } start && !PlainStarts.Contains(start.GetString()))
            throw new UnsupportedModelException($"{FileName}: init_lora_weights \"{start}\" also changes the base weights; convert the adapter to a plain one with peft when saving it.");
        var settings = new LoraSettings
        {
            Rank = json.Int("r", 8),
            Alpha = json.Double("lora_alpha", 8),
            UseRsLora = json.Bool("use_rslora", false),
            UseDora = json.Bool("use_dora", false),
            FanInFanOut = json.Bool("fan_in_fan_out", false),
            RankPattern = Pattern(json, "rank_pattern"),
            AlphaPattern = Pattern(json, "alpha_pattern"),
        };
        return settings.Rank >= 1 && double.IsFinite(settings.Alpha) ? settings
            : throw new InvalidModelException($"{FileName}: r is {settings.Rank} and lora_alpha {settings.Alpha}; the rank must be at least 1.");
    }

    /// <summary>The rank that a module should have.</summary>
    public int RankOf(string module) => (int)(Match(RankPattern, module) ?? Rank);

    /// <summary>The factor of B·A: α/r, or α/√r with <see cref="UseRsLora"/>.</summary>
    public double ScaleOf(string module)
    {
        var alpha = Match(AlphaPattern, module) ?? Alpha;
        return alpha / (UseRsLora ? Math.Sqrt(RankOf(module)) : RankOf(module));
    }

    private static double? Match(IReadOnlyDictionary<string, double> patterns, string module)
    {
        foreach (var (pattern, value) in patterns)
        {
            try
            {
                if (Regex.IsMatch(module, $@"^(.*\.)?({pattern})$", RegexOptions.CultureInvariant, PatternTime))
                    return value;
            }
            catch (Exception e) when (e is RegexParseException or RegexMatchTimeoutException)
            {
                throw new InvalidModelException($"{FileName}: pattern '{pattern}' cannot be used: {e.Message}", e);
            }
        }
        return null;
    }

    private static Dictionary<string, double> Pattern(ConfigJson json, string name)
    {
        var patterns = new Dictionary<string, double>(StringComparer.Ordinal);
        if (json.Find(name) is not { } value)
            return patterns;
        if (value.ValueKind != JsonValueKind.Object)
            throw new InvalidModelException($"{FileName}: {name} is {value.GetRawText()}; expected an object.");
        foreach (var entry in value.EnumerateObject())
            patterns[entry.Name] = entry.Value.ValueKind == JsonValueKind.Number && entry.Value.TryGetDouble(out var number) && number > 0 ? number
                : throw new InvalidModelException($"{FileName}: {name} of '{entry.Name}' is {entry.Value.GetRawText()}; expected a positive number.");
        return patterns;
    }

    private static bool IsOff(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.False => true,
        JsonValueKind.Array => value.GetArrayLength() == 0,
        JsonValueKind.Object => !value.EnumerateObject().Any(),
        _ => false,
    };
}
