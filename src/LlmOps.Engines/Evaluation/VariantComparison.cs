using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.Evaluation;

/// <summary>
/// Compares a variant with its base on the same tokens: what quantization changed, position by position. Batches are scored and forgotten; per position one number is kept.
/// </summary>
public sealed record VariantComparison
{
    // 128 MiB of logits for each of the two models.
    private const long MaxBatchLogits = 32L << 20;

    /// <summary>Most tokens in one batch, padding included; one row is always allowed.</summary>
    public int BatchTokens { get; init; } = 2048;

    /// <summary>Resamples behind each interval.</summary>
    public int Resamples { get; init; } = 10000;

    /// <summary>Seed of the resampling.</summary>
    public int Seed { get; init; }

    /// <summary>Compares two ONNX folders.</summary>
    /// <param name="baseFolder">What the variant was made from.</param>
    /// <param name="variantFolder">The variant.</param>
    /// <param name="rows">Held-out texts, none of them used for calibration.</param>
    /// <param name="progress">Share of the rows done, 0 to 1.</param>
    /// <param name="ct">Stops between two batches.</param>
    /// <exception cref="ArgumentException">There is no row, or a row has fewer than 2 tokens, more than the model takes, an unknown token, or no bytes.</exception>
    /// <exception cref="InvalidModelException">A folder does not open as a decoder, the vocabularies differ, or logits are not finite.</exception>
    public ComparisonReport Run(string baseFolder, string variantFolder, IReadOnlyList<TokenRow> rows, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        using OnnxCausalModel source = OnnxCausalModel.Load(baseFolder), variant = OnnxCausalModel.Load(variantFolder);
        return Run(source, variant, rows, progress, ct) with { BaseBytes = OnnxModel.SizeBytes(baseFolder), VariantBytes = OnnxModel.SizeBytes(variantFolder) };
    }

    /// <summary>Compares two open models; sizes stay 0.</summary>
    /// <inheritdoc cref="Run(string, string, IReadOnlyList{TokenRow}, IProgress{double}?, CancellationToken)"/>
    public ComparisonReport Run(ICausalModel source, ICausalModel variant, IReadOnlyList<TokenRow> rows, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        if (source.VocabularySize != variant.VocabularySize)
            throw new InvalidModelException($"The vocabularies differ: {source.VocabularySize} in the base, {variant.VocabularySize} in the variant.");
        Check(rows, Math.Min(source.MaxLength, variant.MaxLength));
        var sums = new ComparisonSums(rows);
        // Longest first: padding is least among neighbours, and a batch that is too large fails at once.
        var order = Enumerable.Range(0, rows.Count).OrderByDescending(i => rows[i].Tokens.Length).ThenBy(i => i).ToArray();
        var limit = Math.Max(1, Math.Min(BatchTokens, MaxBatchLogits / source.VocabularySize));
        for (var next = 0; next < order.Length;)
        {
            ct.ThrowIfCancellationRequested();
            var size = (int)Math.Clamp(limit / rows[order[next]].Tokens.Length, 1, order.Length - next);
            var batch = order.AsSpan(next, size).ToArray();
            var tokens = Array.ConvertAll(batch, i => rows[i].Tokens);
            float[][] expected = source.Logits(tokens), actual = variant.Logits(tokens);
            Parallel.For(0, batch.Length, b => sums.Add(batch[b], expected[b], actual[b], source.VocabularySize));
            next += size;
            progress?.Report((double)next / order.Length);
        }
        return sums.Report(Resamples, Seed);
    }

    private static void Check(IReadOnlyList<TokenRow> rows, int context)
    {
        if (rows.Count == 0)
            throw new ArgumentException("There is no row to compare on.", nameof(rows));
        foreach (var (i, row) in rows.Index())
        {
            if (row.Tokens.Length < 2 || row.Tokens.Length > context)
                throw new ArgumentException($"Row {i} has {row.Tokens.Length} tokens; 2 to {context} can be compared.", nameof(rows));
            if (row.Bytes < 1)
                throw new ArgumentException($"Row {i} says {row.Bytes} bytes; bits per byte need at least 1.", nameof(rows));
        }
    }
}

/// <summary>What a comparison keeps: sums per row, and per position one divergence.</summary>
internal sealed class ComparisonSums(IReadOnlyList<TokenRow> rows)
{
    private readonly double[] kld = new double[rows.Count], same = new double[rows.Count], baseBits = new double[rows.Count], variantBits = new double[rows.Count];
    private readonly double[] deltaP = new double[rows.Count], squaredDeltaP = new double[rows.Count];
    private readonly float[][] perPosition = new float[rows.Count][];

    public void Add(int row, float[] expected, float[] actual, int vocabulary)
    {
        var tokens = rows[row].Tokens;
        float[] probabilities = new float[vocabulary], differences = new float[vocabulary];
        var divergences = perPosition[row] = new float[tokens.Length - 1];
        for (var t = 1; t < tokens.Length; t++)
        {
            var pair = LogitPair.At(expected.AsSpan((t - 1) * vocabulary, vocabulary), actual.AsSpan((t - 1) * vocabulary, vocabulary), tokens[t], probabilities, differences);
            divergences[t - 1] = (float)pair.Kld;
            kld[row] += pair.Kld;
            same[row] += pair.SameTop ? 1 : 0;
            baseBits[row] -= pair.LogP / Math.Log(2);
            variantBits[row] -= pair.LogQ / Math.Log(2);
            var change = Math.Exp(pair.LogQ) - Math.Exp(pair.LogP);
            deltaP[row] += change;
            squaredDeltaP[row] += change * change;
        }
    }

    public ComparisonReport Report(int resamples, int seed)
    {
        var sorted = perPosition.SelectMany(p => p).Order().ToArray();
        double[] positions = [.. rows.Select(r => (double)(r.Tokens.Length - 1))], bytes = [.. rows.Select(r => (double)r.Bytes)];
        double n = sorted.Length;
        return new(rows.Count, sorted.Length, Bootstrap.Ratio(kld, positions, resamples, seed), Quantile(0.5), Quantile(0.99), Bootstrap.Ratio(same, positions, resamples, seed),
            deltaP.Sum() / n, Math.Sqrt(squaredDeltaP.Sum() / n), Bootstrap.Ratio(baseBits, bytes, resamples, seed), Bootstrap.Ratio(variantBits, bytes, resamples, seed),
            Bootstrap.PairedRatioDifference(variantBits, bytes, baseBits, bytes, resamples, seed), Math.Exp(baseBits.Sum() * Math.Log(2) / n),
            Math.Exp(variantBits.Sum() * Math.Log(2) / n), 0, 0);

        double Quantile(double level)
        {
            var position = level * (sorted.Length - 1);
            var lower = (int)position;
            return lower + 1 < sorted.Length ? sorted[lower] + (position - lower) * (sorted[lower + 1] - sorted[lower]) : sorted[lower];
        }
    }
}
