using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Quantization;
using LlmOps.TestKit;

namespace LlmOps.Engines.Tests.Quantization;

/// <summary>
/// A tiny decoder with what makes trained models hard to quantize: a few channels of the activations are ten times larger than the others (by the
/// norms' weights), and channels are correlated (embeddings of low rank).
/// </summary>
public sealed class LanguageLikeModel : IDisposable
{
    private const int Rank = 10;

    public LanguageLikeModel()
    {
        var plain = At("plain");
        TinyModels.WriteLlama(plain, seed: 5, tied: false, context: 128);
        using (var checkpoint = CheckpointFolder.Open(plain))
        {
            Directory.CreateDirectory(At("hf"));
            foreach (var file in Directory.EnumerateFiles(plain).Where(f => !f.EndsWith(".safetensors", StringComparison.Ordinal)))
                File.Copy(file, Path.Combine(At("hf"), Path.GetFileName(file)));
            SafetensorsWriter.WriteFloat32(Path.Combine(At("hf"), "model.safetensors"), [.. checkpoint.Weights.Tensors.Keys.Order(StringComparer.Ordinal)
                .Select(name => (name, checkpoint.Weights.Tensors[name].Shape, Reshaped(name, checkpoint.Weights.ReadFloat32(name))))]);
        }
        new DecoderExport().Run(At("hf"), Onnx);
    }

    public string Root { get; } = Directory.CreateTempSubdirectory("llmops-quantization-").FullName;
    public string Onnx => At("onnx");

    /// <summary>24 sequences of 96 tokens: 1,728 fitted and 576 held-out positions for at most 160 inputs.</summary>
    public CalibrationTokens Calibration { get; } = new([.. Enumerable.Range(0, 24).Select(i => Tokens(100 + i, 96))]);

    /// <summary>Rows that no calibration sees.</summary>
    public IReadOnlyList<TokenRow> Rows { get; } = [.. Enumerable.Range(0, 16).Select(i => new TokenRow(Tokens(i, 64), 4 * 63))];

    public string At(string name) => Path.Combine(Root, name);

    public string New() => At(Guid.NewGuid().ToString("N"));

    public double Kld(string variant) => new VariantComparison { Resamples = 10 }.Run(Onnx, variant, Rows).MeanKld.Value;

    public static float[] Gaussian(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);

    private static float[] Reshaped(string name, float[] values)
    {
        if (name.EndsWith("layernorm.weight", StringComparison.Ordinal))
            foreach (var channel in new[] { 3, 17, 40, 58 })
                values[channel] *= 10;
        if (name == "model.embed_tokens.weight")
        {
            var basis = Gaussian(Rank * 64, seed: 9);
            for (var row = 0; row < values.Length / 64; row++)
            {
                var mix = Gaussian(Rank, seed: 1000 + row);
                for (var channel = 0; channel < 64; channel++)
                    values[row * 64 + channel] = 0.2f * values[row * 64 + channel] + 0.3f / MathF.Sqrt(Rank) * Enumerable.Range(0, Rank).Sum(r => mix[r] * basis[r * 64 + channel]);
            }
        }
        return values;
    }

    private static int[] Tokens(int seed, int length)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(304))];
    }
}
