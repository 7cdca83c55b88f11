using LlmOps.Engines.Inference;
using LlmOps.TestKit;

namespace LlmOps.Engines.Tests.Inference;

public sealed class TextGeneratorTests(ExportedModels models)
{
    private static readonly int[] Prompt = [1, 70, 90, 110, 42];

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public void Generate_GivesTheReferencesGreedyTokens_WithTheirProbabilities()
    {
        using var generator = TextGenerator.Load(models.TiedOnnx);
        using var reference = new ReferenceLlama(models.Tied);

        var made = generator.Generate(Prompt, new(MaxNewTokens: 20, MinNewTokens: 20), Ct).ToList();

        int[] all = [.. Prompt, .. made.Select(t => t.Id)];
        var logits = reference.Logits([all])[0];
        for (var i = 0; i < made.Count; i++)
        {
            var row = logits.AsSpan((Prompt.Length - 1 + i) * 304, 304).ToArray();
            var allowed = row[..generator.Tokenizer.VocabularySize].Index().Where(x => x.Index != generator.Config.EosTokenId).MaxBy(x => x.Item).Index;
            Assert.Equal(allowed, made[i].Id);
            Assert.Equal(row[made[i].Id] - Math.Log(row.Sum(v => Math.Exp(v))), made[i].LogProbability, 1e-4);
        }
        Assert.Equal((20, FinishReason.Length), (made.Count, made[^1].Finish));
        Assert.All(made.SkipLast(1), t => Assert.Null(t.Finish));
    }

    [Fact]
    public void Generate_TextOfTheTokensTogether_IsTheDecodedAnswer()
    {
        using var generator = TextGenerator.Load(models.TiedOnnx);

        var made = generator.Generate(Prompt, new(40, Temperature: 1.5f, Seed: 5, MinNewTokens: 40), Ct).ToList();

        Assert.Equal(generator.Tokenizer.Decode([.. made.Select(t => t.Id)]), string.Concat(made.Select(t => t.Text)));
    }

    [Fact]
    public void Generate_RepeatsItself_OnlyWithTheSameSeed()
    {
        using var generator = TextGenerator.Load(models.TiedOnnx);
        int[] Draw(int seed) => [.. generator.Generate(Prompt, new(24, Temperature: 1, TopK: 100, TopP: 0.95f, Seed: seed), Ct).Select(t => t.Id)];

        Assert.Equal(Draw(1), Draw(1));
        Assert.NotEqual(Draw(1), Draw(2));
    }

    [Fact]
    public void Generate_IsNotDisturbedByEarlierCallsOrByOthersAtTheSameTime()
    {
        using var generator = TextGenerator.Load(models.TiedOnnx);
        int[] Greedy(int[] prompt) => [.. generator.Generate(prompt, new(12, MinNewTokens: 12), Ct).Select(t => t.Id)];
        int[][] prompts = [Prompt, [.. Enumerable.Range(5, 60)], [9]];
        var alone = prompts.Select(Greedy).ToArray();

        var together = new int[12][];
        Parallel.For(0, 12, i => together[i] = Greedy(prompts[i % 3]));

        Assert.All(together.Index(), made => Assert.Equal(alone[made.Index % 3], made.Item));
    }

    [Fact]
    public void Generate_StopsWhenTheContextIsFull_AndRefusesAPromptThatFillsIt()
    {
        using var generator = TextGenerator.Load(models.TiedOnnx);
        int[] prompt = [.. Enumerable.Range(5, 90)];

        var made = generator.Generate(prompt, new(50, MinNewTokens: 50), Ct).ToList();
        var error = Assert.Throws<ArgumentException>(() => generator.Generate([.. prompt, 1, 2, 3, 4, 5, 6], new(), Ct));

        Assert.Equal((6, FinishReason.Context), (made.Count, made[^1].Finish));
        Assert.Contains("96", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => generator.Generate([], new(), Ct));
        Assert.Contains("304", Assert.Throws<ArgumentException>(() => generator.Generate([304], new(), Ct)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => generator.Generate(Prompt, new(TopP: 0), Ct));
    }

    [Fact]
    public void Generate_EndsBetweenTokens_WhenCancelled()
    {
        using var generator = TextGenerator.Load(models.TiedOnnx);
        using var cancellation = new CancellationTokenSource();
        var made = 0;

        Assert.Throws<OperationCanceledException>(() =>
        {
            foreach (var _ in generator.Generate(Prompt, new(50, MinNewTokens: 50), cancellation.Token))
                if (++made == 3)
                    cancellation.Cancel();
        });

        Assert.Equal(3, made);
        Assert.NotEmpty(generator.Generate(Prompt, new(2), Ct)); // and the generator is free again
    }

    [Fact]
    public void Generate_EndsBeforeAStopText()
    {
        using var generator = TextGenerator.Load(models.TiedOnnx);
        var options = new SamplingOptions(40, Temperature: 1.5f, Seed: 5, MinNewTokens: 40);
        var text = string.Concat(generator.Generate(Prompt, options, Ct).Select(t => t.Text));
        var stop = text.Substring(text.Length / 2, 3);

        var made = generator.Generate(Prompt, options with { Stop = [stop] }, Ct).ToList();

        Assert.Equal(text[..text.IndexOf(stop, StringComparison.Ordinal)], string.Concat(made.Select(t => t.Text)));
        Assert.Equal(FinishReason.Stop, made[^1].Finish);
    }

    [Fact]
    public void CachedDecoder_GivesTheSameLogitsAsOnePrefill_HoweverTheTokensAreSplit()
    {
        using var decoder = DecoderSession.Open(models.TiedOnnx, null);
        using var cached = new CachedDecoder(decoder);
        using var model = OnnxCausalModel.Load(models.TiedOnnx);
        int[] tokens = [.. Enumerable.Range(0, 80).Select(i => 5 + i * 37 % 290)];
        var expected = model.Logits([tokens])[0].AsSpan(79 * 304).ToArray();

        foreach (var split in new[] { 1, 20, 79 })
        {
            cached.Start(80);
            cached.Append(tokens.AsSpan(0, split), Ct);
            var actual = cached.Append(tokens.AsSpan(split), Ct).ToArray();
            Assert.InRange(expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max(), 0, 1e-4f);
        }
    }

    [Fact]
    public void Generate_SharesThePromptAmongContinuations_WhichAreThoseOfTheirSeedsAlone()
    {
        using var generator = TextGenerator.Load(models.TiedOnnx);
        var options = new SamplingOptions(12, Temperature: 1, Seed: 40, MinNewTokens: 12);

        var together = generator.Generate(Prompt, options with { Continuations = 4 }, Ct).ToLookup(t => t.Continuation);

        Assert.Equal(4, together.Count);
        for (var i = 0; i < 4; i++)
        {
            var alone = generator.Generate(Prompt, options with { Seed = 40 + i }, Ct).ToList();
            Assert.Equal(alone.Select(t => t.Id), together[i].Select(t => t.Id));
            Assert.All(alone.Zip(together[i]), pair => Assert.Equal(pair.First.LogProbability, pair.Second.LogProbability, 1e-4));
            Assert.Equal(FinishReason.Length, together[i].Last().Finish);
        }
        Assert.True(together.Select(t => string.Join(' ', t.Select(x => x.Id))).Distinct().Count() > 1);
    }

    [Fact]
    public void Generate_ComputesOnlyWhatIsNew_WhenAChatGoesOn()
    {
        using TextGenerator generator = TextGenerator.Load(models.TiedOnnx), without = TextGenerator.Load(models.TiedOnnx, new() { PrefixCacheBytes = 0 });
        var options = new SamplingOptions(10, MinNewTokens: 10);
        var first = generator.Generate(Prompt, options, Ct).ToList();
        int[] next = [.. Prompt, .. first.Select(t => t.Id), 33, 44, 55];

        var made = generator.Generate(next, options, Ct).ToList();
        var expected = without.Generate(next, options, Ct).ToList();

        // The first answer's last token was given out and never computed.
        Assert.Equal((0, Prompt.Length + 9), (first[0].CachedPromptTokens, made[0].CachedPromptTokens));
        Assert.Equal(0, without.Generate(next, options, Ct).First().CachedPromptTokens);
        Assert.Equal(expected.Select(t => t.Id), made.Select(t => t.Id));
        Assert.All(expected.Zip(made), pair => Assert.Equal(pair.First.LogProbability, pair.Second.LogProbability, 1e-5));
    }

    [Fact]
    public void Generate_EndsAtAnyEndToken_AndHoldsThemBackBeforeTheMinimum()
    {
        using var generator = TextGenerator.Load(models.TiedOnnx);
        var free = generator.Generate(Prompt, new(20, MinNewTokens: 20), Ct).Select(t => t.Id).ToList();

        var made = generator.Generate(Prompt, new(20) { EndTokens = [free[4]], LogitBias = new Dictionary<int, float> { [2] = -100 } }, Ct).ToList();
        var later = generator.Generate(Prompt, new(20, MinNewTokens: 15) { EndTokens = [free[4]] }, Ct).Select(t => t.Id).ToList();

        Assert.Equal((free.IndexOf(free[4]) + 1, FinishReason.EndOfText, ""), (made.Count, made[^1].Finish, made[^1].Text));
        Assert.True(later.Count >= 15);
        Assert.DoesNotContain(free[4], later.Take(15));
    }

    [Fact]
    public void Generate_ReportsAlternatives_AndFollowsAGrammarUntilNothingMayFollow()
    {
        using var generator = TextGenerator.Load(models.TiedOnnx);
        var grammar = OutputGrammar.FromSchema("""{"type":"object","properties":{"sure":{"type":"boolean"}},"required":["sure"]}""", whitespace: false);
        var options = new SamplingOptions(80, Temperature: 1, Seed: 1) { TopLogProbabilities = 2, Continuations = 2, Grammar = grammar };

        var made = generator.Generate(Prompt, options, Ct).ToLookup(t => t.Continuation);

        foreach (var answer in made)
        {
            Assert.Contains(string.Concat(answer.Select(t => t.Text)), new[] { """{"sure":true}""", """{"sure":false}""" });
            Assert.Equal(FinishReason.Complete, answer.Last().Finish);
            Assert.All(answer, t => Assert.True(t.Alternatives is [var best, var second] && best.LogProbability >= second.LogProbability && t.LogProbability <= best.LogProbability + 1e-6));
        }
    }

    [Fact]
    public void Generate_RefusesOptionsOutOfRange_AndNamesThem()
    {
        using var generator = TextGenerator.Load(models.TiedOnnx);
        foreach (var (options, name) in new[]
        {
            (new SamplingOptions { MinP = 2 }, "MinP"), (new() { PresencePenalty = 3 }, "PresencePenalty"), (new() { FrequencyPenalty = float.NaN }, "FrequencyPenalty"),
            (new() { Continuations = 0 }, "Continuations"), (new() { EndTokens = [304] }, "EndTokens"), (new() { TopLogProbabilities = -1 }, "TopLogProbabilities"),
            (new() { LogitBias = new Dictionary<int, float> { [1] = float.PositiveInfinity } }, "LogitBias"),
        })
            Assert.Equal(name, Assert.Throws<ArgumentException>(() => generator.Generate(Prompt, options, Ct)).ParamName);
    }
}
