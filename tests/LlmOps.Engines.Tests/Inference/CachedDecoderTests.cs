using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.Tests.Inference;

public sealed class CachedDecoderTests(ExportedModels models)
{
    private const int BFloat16 = 16;
    private static readonly int[] Tokens = [.. Enumerable.Range(0, 80).Select(i => 5 + i * 37 % 290)];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    // Rounding of the cache to 11 or 8 bits of fraction, and of the logits.
    public static TheoryData<bool, int, float> Forms() => new()
    {
        { true, ElementTypes.Float, 1e-4f }, { true, ElementTypes.Float16, 1e-2f }, { true, BFloat16, 6e-2f }, { false, ElementTypes.Float, 1e-4f }, { false, ElementTypes.Float16, 1e-2f },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    public void Append_GivesTheSameLogitsAsOnePass_ForEveryFormOfGraph(bool standard, int type, float tolerance)
    {
        var folder = models.New();
        new HandMadeDecoder(standard, type).Write(folder);
        using var decoder = DecoderSession.Open(folder, null);
        using var cached = new CachedDecoder(decoder);
        using var model = OnnxCausalModel.Load(folder);
        var expected = model.Logits([Tokens, Tokens[..7]]);

        Assert.Equal(!standard, decoder.Step.Form.AppendsInPlace);
        foreach (var split in new[] { 1, 20, 77 })
        {
            cached.Start(80);
            Assert.InRange(Far(expected[0].AsSpan((split - 1) * 304, 304), cached.Append(Tokens.AsSpan(0, split), Ct)), 0, tolerance);
            for (var i = split; i < 80; i += 3)
                Assert.InRange(Far(expected[0].AsSpan((Math.Min(80, i + 3) - 1) * 304, 304), cached.Append(Tokens.AsSpan(i, Math.Min(3, 80 - i)), Ct)), 0, tolerance);
        }
        Assert.InRange(Far(expected[0].AsSpan(0, 7 * 304), expected[1]), 0, tolerance);
    }

    [Fact]
    public void Generate_GivesTheSameTokens_InBothFormsOfOneModel()
    {
        var portable = models.New();
        new DecoderExport(GraphForm.Portable).Run(models.Tied, portable);
        using TextGenerator contrib = TextGenerator.Load(models.TiedOnnx), other = TextGenerator.Load(portable);
        var options = new SamplingOptions(12, Temperature: 1, Seed: 3, MinNewTokens: 12) { Continuations = 2 };
        int[] prompt = [1, 70, 90, 110, 42];

        foreach (var asked in new int[][] { prompt, [.. prompt, 7, 8, 9], [.. prompt[..3], .. Tokens[..60]] })
        {
            var (expected, made) = (contrib.Generate(asked, options, Ct).ToList(), other.Generate(asked, options, Ct).ToList());
            Assert.Equal(expected.Select(t => (t.Id, t.Finish, t.CachedPromptTokens)), made.Select(t => (t.Id, t.Finish, t.CachedPromptTokens)));
            Assert.All(expected.Zip(made), pair => Assert.Equal(pair.First.LogProbability, pair.Second.LogProbability, 1e-4));
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Start_ReusesTheCommonBeginning_WithTheSameLogitsAsWithout(bool standard)
    {
        var folder = models.New();
        new HandMadeDecoder(standard).Write(folder);
        using var decoder = DecoderSession.Open(folder, null);
        using CachedDecoder reusing = new(decoder, 1 << 20), fresh = new(decoder);

        // The next turn, another branch, the same again, something shorter, and something that has nothing in common.
        int[][] prompts = [Tokens[..60], [.. Tokens[..60], 7, 8, 9], [.. Tokens[..20], 200, 201, 202], [.. Tokens[..60], 7, 8, 9], [.. Tokens[..50], 4], Tokens[..5], [300, 5, 6]];
        int[] reused = [0, 60, 20, 62, 50, 4, 0];
        foreach (var (i, prompt) in prompts.Index())
        {
            fresh.Start(90);
            var expected = fresh.Append(prompt, Ct).ToArray();
            var known = reusing.Start(prompt, 90);
            Assert.Equal(reused[i], known);
            Assert.InRange(Far(expected, reusing.Append(prompt.AsSpan(known), Ct)), 0, 1e-5f);
        }
    }

    [Fact]
    public void Start_KeepsNoMoreBytesThanAllowed_AndForgetsTheOldest()
    {
        using var decoder = DecoderSession.Open(models.TiedOnnx, null);
        var one = KeyValueCache.Size(decoder.Step.Form, 1, decoder.Config.MaxPositionEmbeddings);
        using var cached = new CachedDecoder(decoder, 2 * one);
        int Reused(int first)
        {
            var prompt = Enumerable.Range(first, 50).ToArray();
            var known = cached.Start(prompt, 60);
            cached.Append(prompt.AsSpan(known), Ct);
            Assert.InRange(cached.CacheBytes, one, 2 * one);
            return known;
        }

        Assert.Equal([0, 0, 49, 0, 49, 0], new[] { 10, 70, 10, 150, 10, 70 }.Select(Reused));
    }

    [Fact]
    public void Append_UsesTheSecondGraphForLongSteps_OnTheSameCache()
    {
        var folder = models.New();
        new HandMadeDecoder(Standard: false).Write(folder);
        using (var model = OnnxCausalModel.Load(folder))
        {
            // A second graph of the same weights that gives only the last logits, and one with other weights to see which one ran.
            var expected = model.Logits([Tokens])[0];
            new HandMadeDecoder(Standard: false, LastLogitsOnly: true).Write(folder, DecoderSession.PrefillFileName);
            using (var decoder = DecoderSession.Open(folder, null))
            using (var cached = new CachedDecoder(decoder))
            {
                cached.Start(80);
                Assert.InRange(Far(expected.AsSpan(59 * 304, 304), cached.Append(Tokens.AsSpan(0, 60), Ct)), 0, 1e-4f);
                Assert.InRange(Far(expected.AsSpan(62 * 304, 304), cached.Append(Tokens.AsSpan(60, 3), Ct)), 0, 1e-4f);
                Assert.InRange(Far(expected.AsSpan(79 * 304, 304), cached.Append(Tokens.AsSpan(63), Ct)), 0, 1e-4f);
            }
            new HandMadeDecoder(Standard: false, Seed: 4).Write(folder, DecoderSession.PrefillFileName);
            using (var decoder = DecoderSession.Open(folder, null))
            using (var cached = new CachedDecoder(decoder))
            {
                cached.Start(80);
                Assert.InRange(Far(expected.AsSpan(6 * 304, 304), cached.Append(Tokens.AsSpan(0, 7), Ct)), 0, 1e-4f);
                cached.Start(80);
                Assert.True(Far(expected.AsSpan(7 * 304, 304), cached.Append(Tokens.AsSpan(0, 8), Ct)) > 0.1);
            }
        }
        new HandMadeDecoder(Standard: false, ElementTypes.Float16).Write(folder, DecoderSession.PrefillFileName);
        Assert.Contains("share a cache", Assert.Throws<InvalidModelException>(() => DecoderSession.Open(folder, null)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_RefusesInputsThatItCannotFill_AndScoringRefusesPrunedLogits()
    {
        var folder = models.New();
        new HandMadeDecoder(Standard: true, ExtraInput: "token_type_ids").Write(folder);
        Assert.Contains("token_type_ids", Assert.Throws<UnsupportedModelException>(() => OnnxCausalModel.Load(folder)).Message, StringComparison.Ordinal);

        new HandMadeDecoder(Standard: true, LastLogitsOnly: true).Write(folder);
        Assert.Contains("last position only", Assert.Throws<UnsupportedModelException>(() => OnnxCausalModel.Load(folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Append_IsBrokenOffWithinAStep_AndLeavesTheCacheAsItWas()
    {
        var folder = models.New();
        new HandMadeDecoder(Standard: false).Write(folder);
        using var decoder = DecoderSession.Open(folder, null);
        using var cached = new CachedDecoder(decoder);
        using var model = OnnxCausalModel.Load(folder);
        using var bound = new BoundDecoder(decoder.Step);
        using var cache = new KeyValueCache(decoder.Step.Form, TensorMemory.Host, 1, 96);

        bound.Run(cache, Tokens.AsSpan(0, 10), Ct);
        // Straight to the step, without the check before it: the flag alone has to end the run.
        Assert.Throws<OperationCanceledException>(() => bound.Run(cache, Tokens.AsSpan(10, 60), new CancellationToken(true)));
        Assert.Equal(10, cache.Length);
        bound.Run(cache, Tokens.AsSpan(10, 3), Ct);

        Assert.InRange(Far(model.Logits([Tokens])[0].AsSpan(12 * 304, 304), bound.LastLogits(0)), 0, 1e-4f);
    }

    private static float Far(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        Assert.Equal(a.Length, b.Length);
        var far = 0f;
        for (var i = 0; i < a.Length; i++)
            far = float.IsNaN(b[i]) ? float.PositiveInfinity : Math.Max(far, Math.Abs(a[i] - b[i]));
        return far;
    }
}
