using System.Numerics.Tensors;
using LlmOps.Engines.Inference;

namespace LlmOps.Engines.Onnx;

/// <summary>The comparisons of one <see cref="EncoderParityCheck"/>.</summary>
internal sealed class EncoderParityRun(EncoderParityCheck check, ReferenceEncoder reference, OnnxEncoder model, string onnxFolder, int seed, CancellationToken ct)
{
    private readonly Random random = new(seed);
    private readonly List<EncoderParityCase> cases = [];
    private readonly List<string> failures = [];

    public EncoderParityReport Report()
    {
        var texts = check.Lengths.Where(l => l < model.MaxTokens).Append(model.MaxTokens).Select(Text).ToList();
        var traces = reference.Run(texts);
        var cosines = new List<double>();
        (int[] Tokens, int[] Types, EncoderTrace Trace)? bad = null;
        foreach (var ((tokens, types), trace) in texts.Zip(traces, (t, r) => ((t.Tokens, t.Types!), r)))
        {
            ct.ThrowIfCancellationRequested();
            var passed = Judge($"{tokens.Length} tokens", trace.Stages[^1], model.HiddenStates([tokens], [types])[0]);
            if (model.HasSentence && trace.Sentence is { } sentence)
            {
                var found = model.Sentences([tokens], [types])[0];
                passed &= Judge($"vector of {tokens.Length} tokens", sentence, found);
                cosines.Add(Cosine(sentence, found));
            }
            if (!passed && bad is null)
                bad = (tokens, types, trace);
        }
        var singles = cases.ToList();
        if (bad is null && !BatchEqualsSingles())
            return Report(singles, cosines, "padding");
        return Report(singles, cosines, bad is { } b ? FirstBadStage(b.Tokens, b.Types, b.Trace) : null);
    }

    private EncoderParityReport Report(List<EncoderParityCase> singles, List<double> cosines, string? stage)
    {
        if (stage is not null)
            failures.Add($"The first difference is in: {stage}.");
        return new(failures.Count == 0, singles.Max(c => c.MaxAbsDifference), singles.Max(c => c.RelativeL2), cosines.Count == 0 ? null : cosines.Min(), cases, failures, stage);
    }

    private bool BatchEqualsSingles()
    {
        var texts = new[] { 1, 5, 17, 3 }.Select(length => Text(Math.Min(length, model.MaxTokens))).ToArray();
        int[][] tokens = [.. texts.Select(t => t.Tokens)], types = [.. texts.Select(t => t.Types!)];
        ct.ThrowIfCancellationRequested();
        var passed = Judge("padded batch of 4 against single texts", Singles((t, k) => model.HiddenStates([t], [k])[0]), Join(model.HiddenStates(tokens, types)));
        if (model.HasSentence)
            passed &= Judge("vectors of a padded batch of 4", Singles((t, k) => model.Sentences([t], [k])[0]), Join(model.Sentences(tokens, types)));
        return passed;

        double[] Singles(Func<int[], int[], float[]> run) => [.. texts.SelectMany(t => run(t.Tokens, t.Types!)).Select(v => (double)v)];
        static float[] Join(float[][] rows) => [.. rows.SelectMany(r => r)];
    }

    private string FirstBadStage(int[] tokens, int[] types, EncoderTrace trace)
    {
        var stages = EncoderGraph.Stages(reference.Config).ToList();
        using var probed = OnnxEncoder.LoadWithOutputs(onnxFolder, stages.Select(s => s.Tensor));
        var found = probed.Run([tokens], [types], [.. stages.Select(s => s.Tensor)]);
        for (var i = 0; i < stages.Count; i++)
            if (!Compare(stages[i].Stage, trace.Stages[i], found[i][0]).Passed)
                return stages[i].Stage;
        return "pooling";
    }

    private bool Judge(string name, double[] expected, float[] actual)
    {
        var result = Compare(name, expected, actual);
        cases.Add(result);
        if (!result.Passed)
            failures.Add($"{name}: max |difference| {result.MaxAbsDifference:g3} (allowed {result.Tolerance:g3}), relative L2 {result.RelativeL2:g3} (allowed {check.RelativeTolerance:g3}).");
        return result.Passed;
    }

    private EncoderParityCase Compare(string name, double[] expected, float[] actual)
    {
        if (expected.Length != actual.Length)
            throw new InvalidModelException($"{name}: the reference has {expected.Length} values, the exported model {actual.Length}.");
        double max = 0, squares = 0;
        for (var i = 0; i < expected.Length; i++)
        {
            var difference = Math.Abs(expected[i] - actual[i]);
            max = double.IsNaN(difference) ? difference : Math.Max(max, difference);
            squares += difference * difference;
        }
        var tolerance = check.Tolerance * Math.Max(1, Math.Abs(TensorPrimitives.MaxMagnitude<double>(expected)) / 10);
        var relative = squares == 0 ? 0 : Math.Sqrt(squares) / TensorPrimitives.Norm<double>(expected);
        // Written so that NaN fails.
        return new(name, max, tolerance, relative, max <= tolerance && relative <= check.RelativeTolerance);
    }

    private static double Cosine(double[] a, float[] b)
    {
        var other = Array.ConvertAll(b, v => (double)v);
        return TensorPrimitives.CosineSimilarity<double>(a, other);
    }

    private (int[] Tokens, int[]? Types) Text(int length)
    {
        // The padding id is no token of a text: RoBERTa's positions would skip it.
        var tokens = Enumerable.Range(0, length).Select(_ => random.Next(reference.Config.VocabSize - 1)).Select(id => id >= reference.Config.PadTokenId ? id + 1 : id).ToArray();
        return (tokens, [.. tokens.Select((_, t) => reference.Config.TypeVocabSize > 1 && t > length / 2 ? 1 : 0)]);
    }
}
