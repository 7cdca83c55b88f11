using System.Globalization;
using System.Reflection;
using System.Text.Json;
using LlmOps.Engines.Planning;
using LlmOps.Lifecycle.Pipelines.Stages;

namespace LlmOps.Lifecycle.Planning;

public enum FitFieldType { Text, Integer, Number, Flag }

/// <param name="Name">As in addresses, queries and, with dashes, on the command line.</param>
public sealed record FitField(string Name, FitFieldType Type, string Help);

/// <summary>
/// A question to the fit planner, flat, so that it is at once the address of the page, the query of the API and the options of the command line.
/// The model is a registered version, else a known shape, else the sizes given; sizes and figures that are given replace those of what is named.
/// </summary>
public sealed record FitQuestion
{
    public const string ThisMachine = "this-machine";

    [Field("Registered version, as name/number.")]
    public string? Version { get; init; }
    [Field("Published shape, for example llama-3.1-8b.")]
    public string? Model { get; init; }
    [Field("Decoder layers.")]
    public int? Layers { get; init; }
    [Field("Width of the residual stream.")]
    public int? HiddenSize { get; init; }
    [Field("Query heads.")]
    public int? Heads { get; init; }
    [Field("Key and value heads; as many as query heads when left out.")]
    public int? KeyValueHeads { get; init; }
    [Field("Width of a head; hidden size over heads when left out.")]
    public int? HeadDim { get; init; }
    [Field("Width inside the MLP.")]
    public int? IntermediateSize { get; init; }
    [Field("Tokens of the vocabulary.")]
    public int? VocabSize { get; init; }
    [Field("Whether the head is the embedding.")]
    public bool? Tied { get; init; }
    [Field("Known machine, for example h100-80gb, or this-machine.")]
    public string? Hardware { get; init; }
    [Field("Memory, GiB.")]
    public double? MemoryGib { get; init; }
    [Field("Reading memory, GB/s.")]
    public double? BandwidthGbS { get; init; }
    [Field("fp32 arithmetic, TFLOP/s.")]
    public double? Fp32Tflops { get; init; }
    [Field("fp16 and bf16 arithmetic, TFLOP/s.")]
    public double? HalfTflops { get; init; }
    [Field("8-bit arithmetic, TOP/s.")]
    public double? Int8Tops { get; init; }
    [Field("Sequences generated at the same time.")]
    public int? Users { get; init; }
    [Field("Length of each sequence at its end, tokens.")]
    public int? Context { get; init; }
    [Field("Prompt of each sequence, tokens.")]
    public int? Prompt { get; init; }
    [Field("Key/value cache: fp16 or fp32; follows the activations when left out.")]
    public string? Kv { get; init; }
    [Field("New tokens per second that each user has to get.")]
    public double? MinSpeed { get; init; }

    private static readonly IReadOnlyDictionary<string, PropertyInfo> Properties = typeof(FitQuestion).GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(p => p.GetCustomAttribute<FieldAttribute>() is not null).ToDictionary(p => JsonNamingPolicy.SnakeCaseLower.ConvertName(p.Name));

    public static IReadOnlyList<FitField> Fields { get; } = [.. Properties.Select(p => new FitField(p.Key, TypeOf(p.Value), p.Value.GetCustomAttribute<FieldAttribute>()!.Help))];

    /// <summary>Reads named texts; empty ones count as left out.</summary>
    public static FitQuestion Parse(IEnumerable<(string Name, string Value)> values)
    {
        var question = new FitQuestion();
        foreach (var (name, value) in values)
        {
            if (!Properties.TryGetValue(name, out var property))
                throw LlmOpsException.Invalid($"The planner has no '{name}'. It takes {string.Join(", ", Properties.Keys)}.");
            if (!string.IsNullOrWhiteSpace(value))
                property.SetValue(question, Convert(name, TypeOf(property), value.Trim()));
        }
        return question;
    }

    /// <summary>What was given, as texts under the names of <see cref="Fields"/>.</summary>
    public IReadOnlyDictionary<string, string> ToTexts() =>
        Properties.Where(p => p.Value.GetValue(this) is not null).ToDictionary(p => p.Key, p => p.Value.GetValue(this) is bool flag ? flag ? "true" : "false" : System.Convert.ToString(p.Value.GetValue(this), CultureInfo.InvariantCulture)!);

    public bool HasSizes => Layers is not null || HiddenSize is not null || Heads is not null || KeyValueHeads is not null || HeadDim is not null || IntermediateSize is not null || VocabSize is not null || Tied is not null;

    /// <summary>The sizes given, over those of <paramref name="known"/> where there is one.</summary>
    internal ModelShape ShapeOver(ModelShape? known)
    {
        if (known is null && (Layers, HiddenSize, Heads, IntermediateSize, VocabSize) is not ({ }, { }, { }, { }, { }))
            throw LlmOpsException.Invalid("Name a version or a known model, or give layers, hidden_size, heads, intermediate_size and vocab_size.");
        var heads = Heads ?? known!.Heads;
        var hidden = HiddenSize ?? known!.HiddenSize;
        return new ModelShape
        {
            Name = known is null ? "given sizes" : HasSizes ? $"{known.Name}, changed" : known.Name, Layers = Layers ?? known!.Layers, HiddenSize = hidden, Heads = heads,
            KeyValueHeads = KeyValueHeads ?? known?.KeyValueHeads ?? heads, HeadDim = HeadDim ?? known?.HeadDim ?? (heads > 0 ? hidden / heads : 0),
            IntermediateSize = IntermediateSize ?? known!.IntermediateSize, VocabSize = VocabSize ?? known!.VocabSize, MaxContext = known?.MaxContext ?? 1 << 20,
            TiedEmbeddings = Tied ?? known?.TiedEmbeddings ?? false, AttentionBias = known?.AttentionBias ?? false, GatedMlp = known?.GatedMlp ?? true,
        };
    }

    /// <summary>The figures given, over those of the machine.</summary>
    internal Hardware HardwareOver(Hardware machine)
    {
        if ((MemoryGib, BandwidthGbS, Fp32Tflops, HalfTflops, Int8Tops) is (null, null, null, null, null))
            return machine;
        return machine with
        {
            Name = $"{machine.Name}, changed", MemoryBytes = MemoryGib is { } gib ? (long)Math.Clamp(gib * (1L << 30), 0, 1e18) : machine.MemoryBytes,
            BandwidthBytesPerSecond = BandwidthGbS * 1e9 ?? machine.BandwidthBytesPerSecond, Fp32OperationsPerSecond = Fp32Tflops * 1e12 ?? machine.Fp32OperationsPerSecond,
            // On a processor halves are computed in fp32.
            HalfOperationsPerSecond = HalfTflops * 1e12 ?? (machine.Kind == HardwareKind.Cpu ? Fp32Tflops * 1e12 : null) ?? machine.HalfOperationsPerSecond,
            Int8OperationsPerSecond = Int8Tops * 1e12 ?? machine.Int8OperationsPerSecond,
        };
    }

    internal Workload WorkloadFor(ModelShape model)
    {
        var context = Context ?? Math.Min(2048, model.MaxContext);
        return new(Users ?? 1, context, Prompt ?? Math.Max(1, Math.Min(512, context / 2)), Kv switch
        {
            null => 0,
            "fp16" => 2,
            "fp32" => 4,
            _ => throw LlmOpsException.Invalid($"'{Kv}' is no precision of the key/value cache. Write fp16 or fp32, or leave it out."),
        }, MinSpeed ?? 10);
    }

    private static FitFieldType TypeOf(PropertyInfo property) => property.PropertyType == typeof(int?) ? FitFieldType.Integer
        : property.PropertyType == typeof(double?) ? FitFieldType.Number : property.PropertyType == typeof(bool?) ? FitFieldType.Flag : FitFieldType.Text;

    private static object Convert(string name, FitFieldType type, string value) => type switch
    {
        FitFieldType.Integer => int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) ? whole : throw LlmOpsException.Invalid($"{name} is '{value}'; a whole number is expected."),
        FitFieldType.Number => double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? number : throw LlmOpsException.Invalid($"{name} is '{value}'; a number is expected."),
        FitFieldType.Flag => bool.TryParse(value, out var flag) ? flag : throw LlmOpsException.Invalid($"{name} is '{value}'; true or false is expected."),
        _ => value,
    };
}
