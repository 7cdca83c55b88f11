using System.Text.Json;
using LlmOps.Engines.Benchmarking;
using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.Inference;

/// <summary>What a fresh process is to compare.</summary>
/// <param name="Source">Folder or file of the model that was read.</param>
/// <param name="Result">Folder or file of the model that was written.</param>
/// <param name="ResultLevel">Optimisation level to load the result with.</param>
/// <param name="Inputs">A file of <see cref="SampleFile"/>, or null for random inputs.</param>
internal sealed record ReloadRequest(string Source, string Result, string ResultLevel, string? Inputs);

/// <summary>How far a written model is from its source on the same inputs.</summary>
/// <param name="Rows">Rows of the compared outputs, for a decoder positions.</param>
/// <param name="MaxAbs">Largest difference of a value.</param>
/// <param name="RelativeL2">Norm of the difference over the norm of the source's values.</param>
/// <param name="ArgmaxAgreement">Share of rows of the last axis whose largest value is at the same place.</param>
/// <param name="NotFinite">An output that is not a finite number where the source's is, or null.</param>
internal sealed record ReloadDifference(int Rows, double MaxAbs, double RelativeL2, double ArgmaxAgreement, string? NotFinite)
{
    /// <summary>Whether the comparison was made in a process of its own.</summary>
    public bool FreshProcess { get; init; }

    /// <summary>A sentence for the report when it was not.</summary>
    public string? Note => FreshProcess ? null
        : "The result was loaded and run in this process, not in a fresh one: the program does not call Probe.TryMain first.";
}

/// <summary>Opens a model that was just written and compares it with its source: a file that was not run again does not count as written.</summary>
internal static class ReloadCheck
{
    /// <summary>Compares in a fresh process when this program can be started as one, and says so.</summary>
    /// <exception cref="InvalidModelException">The result does not open or gives values that are not finite.</exception>
    public static ReloadDifference Compare(string source, string result, SessionSettings resultSettings, CancellationToken ct,
        IEnumerable<IReadOnlyList<NamedTensor>>? inputs = null)
    {
        ct.ThrowIfCancellationRequested();
        var samples = inputs is null ? null : Path.Combine(Path.GetTempPath(), $"llmops-inputs-{Guid.NewGuid():N}");
        try
        {
            if (samples is not null)
                SampleFile.Write(samples, inputs!);
            var request = new ReloadRequest(Path.GetFullPath(source), Path.GetFullPath(result), resultSettings.OptimizationLevel, samples);
            var difference = Probe.HasEntry
                ? FreshProcess.Run<ReloadDifference>(null, Probe.CompareArgument, JsonSerializer.Serialize(request), ct) with { FreshProcess = true }
                : CompareHere(request);
            return difference.NotFinite is null ? difference
                : throw new InvalidModelException($"The written model gives values in '{difference.NotFinite}' that are not finite numbers.");
        }
        finally
        {
            if (samples is not null)
                File.Delete(samples);
        }
    }

    public static ReloadDifference CompareHere(ReloadRequest request)
    {
        using var source = OnnxModel.Load(request.Source);
        return request.Inputs is null && source.Proto.Graph.Input.Any(i => i.Name == DecoderGraph.PastKey(0)) ? Decoder(request) : Graph(request, source);
    }

    private static ReloadDifference Decoder(ReloadRequest request)
    {
        if (File.Exists(Path.Combine(request.Result, DecoderSession.PrefillFileName)))
            return TwoGraphs(request);
        using var result = OnnxCausalModel.Load(request.Result, new SessionSettings(OptimizationLevel: request.ResultLevel));
        using var source = OnnxCausalModel.Load(request.Source);
        var random = new Random(0);
        var length = Math.Min(32, source.MaxLength);
        var difference = new LogitDifference();
        for (var i = 0; i < 4; i++)
        {
            var tokens = Enumerable.Range(0, length).Select(_ => random.Next(source.VocabularySize)).ToArray();
            difference.Add(source.Logits([tokens])[0], result.Logits([tokens])[0], source.VocabularySize);
        }
        return new(difference.Rows, difference.MaxAbs, difference.RelativeL2, difference.ArgmaxAgreement, difference.IsFinite ? null : DecoderGraph.Logits);
    }

    // Prompts through the second graph and a token after each through the first, on the same cache.
    private static ReloadDifference TwoGraphs(ReloadRequest request)
    {
        using var session = DecoderSession.Open(request.Result, new SessionSettings(OptimizationLevel: request.ResultLevel));
        using var result = new CachedDecoder(session);
        using var source = OnnxCausalModel.Load(request.Source);
        var random = new Random(0);
        var longest = Math.Min(33, source.MaxLength);
        var difference = new LogitDifference();
        for (var i = 0; i < 16; i++)
        {
            var tokens = Enumerable.Range(0, longest - i % 8).Select(_ => random.Next(source.VocabularySize)).ToArray();
            var expected = source.Logits([tokens])[0].AsSpan((tokens.Length - 2) * source.VocabularySize);
            result.Start(tokens.Length);
            difference.Add(expected[..source.VocabularySize], result.Append(tokens.AsSpan(..^1)), source.VocabularySize);
            difference.Add(expected[source.VocabularySize..], result.Append(tokens.AsSpan(^1..)), source.VocabularySize);
        }
        return new(difference.Rows, difference.MaxAbs, difference.RelativeL2, difference.ArgmaxAgreement, difference.IsFinite ? null : DecoderGraph.Logits);
    }

    private static ReloadDifference Graph(ReloadRequest request, OnnxModel model)
    {
        // The result first: that it loads is the point of the check.
        using var result = GraphSession.Open(request.Result, new(OptimizationLevel: request.ResultLevel));
        using var source = GraphSession.Open(request.Source, new());
        var difference = new OutputDifference();
        foreach (var sample in request.Inputs is null ? source.RandomSamples(model.Proto) : SampleFile.Read(request.Inputs))
            difference.Add(source.Run(source.Fit(sample)), result.Run(result.Fit(sample)));
        return new(difference.Rows, difference.MaxAbs, difference.RelativeL2, difference.ArgmaxAgreement, difference.NotFinite);
    }
}
