using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmOps.Engines.SmallModels;

/// <summary>
/// The <c>config.json</c> of a model that is no Hugging Face language model: <c>model_type</c> names one of a closed list, the other properties are its
/// sizes. Beside it lie <c>model.safetensors</c> with the tensors of <see cref="Tensors"/> and whatever else the model needs.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "model_type")]
[JsonDerivedType(typeof(CnnClassifierConfig), CnnClassifierConfig.ModelType)]
[JsonDerivedType(typeof(LstmConfig), LstmConfig.ModelType)]
[JsonDerivedType(typeof(LinearRegressionConfig), LinearRegressionConfig.ModelType)]
[JsonDerivedType(typeof(KernelSvmConfig), KernelSvmConfig.ModelType)]
[JsonDerivedType(typeof(PlainAutoencoderConfig), PlainAutoencoderConfig.ModelType)]
[JsonDerivedType(typeof(VariationalAutoencoderConfig), VariationalAutoencoderConfig.ModelType)]
[JsonDerivedType(typeof(DiffusionConfig), DiffusionConfig.ModelType)]
public abstract record SmallModelConfig
{
    private const string FileName = "config.json";

    private static readonly JsonSerializerOptions Format = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true, AllowOutOfOrderMetadataProperties = true, RespectRequiredConstructorParameters = true,
    };

    private static readonly string[] ModelTypes = [CnnClassifierConfig.ModelType, LstmConfig.ModelType, LinearRegressionConfig.ModelType, KernelSvmConfig.ModelType, PlainAutoencoderConfig.ModelType, VariationalAutoencoderConfig.ModelType, DiffusionConfig.ModelType];

    /// <summary>What the model is, for people: "CNN classifier".</summary>
    [JsonIgnore]
    public abstract string Kind { get; }

    /// <summary>Names and shapes of the trained tensors, in the order in which they are stored.</summary>
    public abstract IReadOnlyList<(string Name, long[] Shape)> Tensors();

    /// <summary>Number of trained values.</summary>
    [JsonIgnore]
    public long ParameterCount => Tensors().Sum(t => t.Shape.Aggregate(1L, (a, b) => a * b));

    /// <summary>Throws when the sizes do not fit together.</summary>
    /// <exception cref="ArgumentException">They do not; the message says which.</exception>
    public abstract void EnsureValid();

    /// <summary>The configuration in a folder; null when the folder has none, or that of a language model.</summary>
    /// <exception cref="InvalidModelException">It names a type of this list, but its sizes are missing or make no sense.</exception>
    public static SmallModelConfig? TryRead(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
            return null;
        var bytes = File.ReadAllBytes(path);
        try
        {
            using var document = JsonDocument.Parse(bytes);
            if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("model_type", out var type)
                || type.ValueKind != JsonValueKind.String || !ModelTypes.Contains(type.GetString()))
                return null;
            var config = document.RootElement.Deserialize<SmallModelConfig>(Format)!;
            config.EnsureValid();
            return config;
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw new InvalidModelException($"{FileName} cannot be read: {e.Message}", e);
        }
    }

    /// <summary>Writes config.json into a folder, which is made when it is missing.</summary>
    /// <exception cref="ArgumentException">The sizes do not fit together.</exception>
    public void Write(string folder)
    {
        EnsureValid();
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, FileName), JsonSerializer.Serialize(this, Format) + "\n");
    }
}
