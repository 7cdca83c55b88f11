using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Inference;

namespace LlmOps.Engines.Onnx;

/// <summary>The comparisons of one <see cref="ParityCheck"/>.</summary>
internal sealed class ParityRun(ParityCheck check, ICausalModel reference, OnnxCausalModel model, CachedDecoder cached, int longest, int seed, CancellationToken ct)
{
    // Where the reference's two best logits are closer than this, either token is a right answer for 32-bit floats.
    private const double GreedyTie = 1e-3;
    private readonly Random random = new(seed);
    private readonly int vocabulary = reference.VocabularySize;
    private readonly int context = Math.Min(reference.MaxLength, model.MaxLength);
    private readonly LogitDifference total = new();
    private readonly List<ParityCase> cases = [];
    private readonly List<string> failures = [];

    public ParityReport Report()
    {
        var most = Math.Min(context, longest);
        foreach (var length in check.Lengths.Where(l => l < most).Append(most))
            Prefill(length);
        DecodeEqualsPrefill(Math.Min(24, context));
        BatchEqualsSingles();
        var equal = Enumerable.Range(0, check.Prompts).Count(GreedyEqual);
        return new(failures.Count == 0, total.MaxAbs, total.RelativeL2, total.ArgmaxAgreement, check.Prompts, equal, cases, failures);
    }

    private void Prefill(int length)
    {
        ct.ThrowIfCancellationRequested();
        var tokens = Tokens(length);
        float[] expected = reference.Logits([tokens])[0], actual = model.Logits([tokens])[0];
        total.Add(expected, actual, vocabulary, 2 * check.Tolerance);
        Judge($"prefill {length}", expected, actual);
    }

    private void DecodeEqualsPrefill(int length)
    {
        ct.ThrowIfCancellationRequested();
        var tokens = Tokens(length);
        var split = Math.Max(1, length / 3);
        cached.Start(length);
        var rows = cached.Append(tokens.AsSpan(0, split), ct).ToArray().ToList();
        for (var i = split; i < length; i++)
            rows.AddRange(cached.Append(tokens.AsSpan(i, 1), ct));
        Judge($"prefill {split} and {length - split} decoding steps against one prefill", model.Logits([tokens])[0].AsSpan((split - 1) * vocabulary), [.. rows]);
    }

    private void BatchEqualsSingles()
    {
        ct.ThrowIfCancellationRequested();
        var batch = new[] { 1, 5, 17, 3 }.Select(length => Tokens(Math.Min(length, context))).ToArray();
        var together = model.Logits(batch);
        Judge("padded batch of 4 against single rows", batch.SelectMany(row => model.Logits([row])[0]).ToArray(), together.SelectMany(row => row).ToArray());
    }

    private void Judge(string name, ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        var difference = new LogitDifference();
        var tolerance = check.Tolerance * Math.Max(1, Largest(expected) / 10);
        var row = difference.Add(expected, actual, vocabulary, 2 * tolerance);
        // Written so that NaN fails.
        var passed = difference.MaxAbs <= tolerance && difference.RelativeL2 <= check.RelativeTolerance && row < 0;
        cases.Add(new(name, difference.MaxAbs, tolerance, difference.RelativeL2, difference.ArgmaxAgreement, passed));
        if (!passed)
            failures.Add($"{name}: max |difference| {difference.MaxAbs:g3} (allowed {tolerance:g3}), relative L2 {difference.RelativeL2:g3} (allowed {check.RelativeTolerance:g3}); {First(expected, actual, tolerance)}.");
    }

    private string First(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, double tolerance)
    {
        for (var i = 0; i < expected.Length; i++)
            if (!(Math.Abs(expected[i] - actual[i]) <= tolerance))
                return $"first at position {i / vocabulary}, token {i % vocabulary}: {expected[i]:g6} in the reference, {actual[i]:g6} here";
        return "no single logit is outside";
    }

    // The exported model continues on its own; the reference then reads prompt and continuation at once. It would have made the same tokens exactly when each of
    // them is its best at its place, so one pass replaces a pass for every token.
    private bool GreedyEqual(int index)
    {
        var prompt = Tokens(Math.Min(4 + 3 * index, Math.Max(1, context - check.GreedyTokens)));
        var steps = Math.Min(check.GreedyTokens, context - prompt.Length);
        cached.Start(prompt.Length + steps);
        var tokens = prompt.ToList();
        for (var step = 0; step < steps; step++)
        {
            ct.ThrowIfCancellationRequested();
            tokens.Add(Best(cached.Append(step == 0 ? prompt : [tokens[^1]], ct)));
        }
        var expected = reference.Logits([[.. tokens]])[0];
        for (var step = 0; step < steps; step++)
        {
            var row = expected.AsSpan((prompt.Length + step - 1) * vocabulary, vocabulary);
            int best = Best(row), chosen = tokens[prompt.Length + step];
            if (best == chosen)
                continue;
            var gap = row[best] - row[chosen];
            if (!(gap < GreedyTie))
                failures.Add($"greedy prompt {index}: token {step} is {chosen} instead of {best}, which leads by {gap:g3} in the reference.");
            return false;
        }
        return true;
    }

    private static int Best(ReadOnlySpan<float> row) => System.Numerics.Tensors.TensorPrimitives.IndexOfMax(row);

    private static double Largest(ReadOnlySpan<float> values) => Math.Abs(System.Numerics.Tensors.TensorPrimitives.MaxMagnitude(values));

    private int[] Tokens(int length) => [.. Enumerable.Range(0, length).Select(_ => random.Next(vocabulary))];
}
