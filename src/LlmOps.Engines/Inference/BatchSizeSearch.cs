using System.Diagnostics;

namespace LlmOps.Engines.Inference;

/// <summary>What the batch is for.</summary>
public enum BatchWork
{
    /// <summary>One new token for each row, over what came before: serving.</summary>
    Decoding,
    /// <summary>All tokens of each row at once: evaluation.</summary>
    Scoring,
}

/// <summary>Speed of one batch size.</summary>
/// <param name="Rows">Sequences at a time.</param>
/// <param name="TokensPerSecond">Of all rows together, median of the repeats.</param>
/// <param name="Bytes">Caches and logits of the batch, by their shapes; weights are not in it.</param>
public readonly record struct BatchSpeed(int Rows, double TokensPerSecond, long Bytes);

/// <summary>What a <see cref="BatchSizeSearch"/> found.</summary>
/// <param name="Best">The last batch size that was worth it.</param>
/// <param name="Tried">All sizes, in order.</param>
/// <param name="StoppedBecause">A sentence.</param>
public sealed record BatchSizeReport(BatchSpeed Best, IReadOnlyList<BatchSpeed> Tried, string StoppedBecause);

/// <summary>
/// Doubles the batch until that gains hardly any tokens per second, or memory ends: from there on, more rows only make each wait longer. Runs on
/// whatever provider the settings name.
/// </summary>
public sealed record BatchSizeSearch
{
    /// <summary>Decoding or scoring.</summary>
    public BatchWork Work { get; init; } = BatchWork.Decoding;

    /// <summary>Tokens of a row: those before the new ones when decoding, all of them when scoring.</summary>
    public int Length { get; init; } = 128;

    /// <summary>A doubling has to gain at least this share of tokens per second.</summary>
    public double LeastGain { get; init; } = 0.05;

    /// <summary>The search goes no further.</summary>
    public int MostRows { get; init; } = 256;

    /// <summary>Most bytes for caches and logits; null means half of what this process may use, or the provider's limit.</summary>
    public long? MostBytes { get; init; }

    /// <summary>Timed repeats of each size, after one that is not timed.</summary>
    public int Repeats { get; init; } = 3;

    private const int DecodedTokens = 4;

    /// <summary>Measures the model of an ONNX folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="settings">Provider and threads.</param>
    /// <param name="progress">Every size when it is measured.</param>
    /// <param name="ct">Stops within a step.</param>
    /// <exception cref="ArgumentException">The length does not fit into the model, or not even one row into memory.</exception>
    public BatchSizeReport Run(string folder, SessionSettings? settings = null, IProgress<BatchSpeed>? progress = null, CancellationToken ct = default)
    {
        settings ??= new();
        using var decoder = DecoderSession.Open(folder, settings, withPrefill: false);
        var capacity = Length + DecodedTokens;
        if (Length < 1 || capacity > decoder.Config.MaxPositionEmbeddings)
            throw new ArgumentException($"Length is {Length}; with {DecodedTokens} new tokens the model's context of {decoder.Config.MaxPositionEmbeddings} has to hold it.");
        using var bound = new BoundDecoder(decoder.Step);
        var columns = Work == BatchWork.Decoding || decoder.Step.Form.LastLogitsOnly ? 1L : Length;
        var most = MostBytes ?? settings.Provider.MemoryLimitBytes ?? GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2;
        return Search(rows => Measure(decoder, bound, rows, capacity, ct), progress, most,
            rows => KeyValueCache.Size(decoder.Step.Form, rows, capacity) + rows * columns * decoder.Config.VocabSize * TensorMemory.Size(decoder.Step.Form.Logits));
    }

    internal BatchSizeReport Search(Func<int, double> measure, IProgress<BatchSpeed>? progress, long most, Func<int, long> bytes)
    {
        var tried = new List<BatchSpeed>();
        for (var rows = 1; ; rows *= 2)
        {
            if (rows > MostRows)
                return Report($"More than {MostRows} rows were not asked for.");
            if (bytes(rows) > most)
                return Report($"{rows} rows need {bytes(rows) >> 20} MiB; {most >> 20} MiB are allowed.");
            double speed;
            try
            {
                speed = measure(rows);
            }
            catch (InvalidModelException e) when (tried.Count > 0 && e.Message.Contains("alloc", StringComparison.OrdinalIgnoreCase))
            {
                return Report($"The device has no memory for {rows} rows: {e.Message}");
            }
            tried.Add(new(rows, speed, bytes(rows)));
            progress?.Report(tried[^1]);
            if (tried.Count > 1 && speed < (1 + LeastGain) * tried[^2].TokensPerSecond)
                return new(tried[^2], tried, $"{rows} rows gave {speed / tried[^2].TokensPerSecond:0.00} times the tokens per second of {tried[^2].Rows}.");
        }

        BatchSizeReport Report(string why) => tried.Count > 0 ? new(tried[^1], tried, why) : throw new ArgumentException($"Not even one row can be measured: {why}");
    }

    private double Measure(DecoderSession decoder, BoundDecoder bound, int rows, int capacity, CancellationToken ct)
    {
        var random = new Random(rows);
        int[] Tokens(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(decoder.Config.VocabSize))];
        using var cache = new KeyValueCache(decoder.Step.Form, decoder.Step.Memory, rows, capacity);
        try
        {
            var speeds = new List<double>();
            for (var i = 0; i <= Repeats; i++)
            {
                cache.Truncate(0);
                var clock = Stopwatch.StartNew();
                bound.Run(cache, Tokens(rows * Length), ct);
                if (Work == BatchWork.Decoding)
                {
                    clock.Restart();
                    for (var step = 0; step < DecodedTokens; step++)
                        bound.Run(cache, Tokens(rows), ct);
                }
                if (i > 0)
                    speeds.Add(rows * (Work == BatchWork.Decoding ? DecodedTokens : Length) / clock.Elapsed.TotalSeconds);
            }
            return speeds.Order().ElementAt(speeds.Count / 2);
        }
        finally
        {
            bound.Release(cache);
        }
    }
}
