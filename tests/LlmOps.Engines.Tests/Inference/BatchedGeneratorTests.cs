using LlmOps.Engines.Inference;
using LlmOps.Engines.Inference.Batching;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Quantization;
using LlmOps.TestKit;

namespace LlmOps.Engines.Tests.Inference;

public sealed class BatchedGeneratorTests(BatchedModels models) : IClassFixture<BatchedModels>
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    // Prompts of 1 to 300 tokens and answers of 3 to 290, some drawn, one with three answers, two that begin alike.
    private static readonly (int[] Prompt, SamplingOptions Options)[] Mixed =
    [
        (Prompt(1, 1), new(40)), (Prompt(2, 300), new(25)), (Prompt(3, 17), new(60) { Temperature = 0.9f, Seed = 4 }), (Prompt(4, 64), new(3)),
        (Prompt(5, 9), new(30) { Continuations = 3, Temperature = 1, Seed = 8 }), ([.. Prompt(4, 64), .. Prompt(6, 30)], new(50) { PresencePenalty = 1 }), (Prompt(7, 130), new(12) { TopLogProbabilities = 3 }), (Prompt(8, 33), new(290)),
    ];

    private static int[] Prompt(int seed, int length)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(5, 300))];
    }

    private static async Task<List<GeneratedToken>> AllAsync(IAsyncEnumerable<GeneratedToken> tokens)
    {
        var all = new List<GeneratedToken>();
        await foreach (var token in tokens.WithCancellation(Ct))
            all.Add(token);
        return all;
    }

    private static string Words(IEnumerable<GeneratedToken> tokens) =>
        string.Join('\n', tokens.GroupBy(t => t.Continuation).OrderBy(g => g.Key).Select(g => $"{g.Key}: {string.Join(' ', g.Select(t => t.Id))} | {string.Concat(g.Select(t => t.Text))} | {g.Last().Finish}"));

    [Theory]
    [InlineData("contrib", true)]
    [InlineData("portable", false)]
    [InlineData("weights8", true)]
    [InlineData("weights4", true)]
    [InlineData("dynamic8", false)]
    public async Task MixedRequestsTogether_GetTheTokensThatEachGetsAlone(string model, bool together)
    {
        // A generator for one caller computes several continuations as rows of one step, which dynamic int8 rounds together; here each goes by itself.
        var mixed = together || model != "dynamic8" ? Mixed : [.. Mixed.Where(r => r.Options.Continuations == 1)];
        List<string> alone;
        // One thread for both: sums of several differ in their last bits, which an int8 model's rounding turns into other tokens.
        using (var single = TextGenerator.Load(models.At(model), new(Threads: 1) { PrefixCacheBytes = 0 }))
            alone = [.. mixed.Select(r => Words(single.Generate(r.Prompt, r.Options, Ct)))];
        using var batch = BatchedGenerator.Load(models.At(model), new(Threads: 1), new(Rows: 5, PromptChunk: 48));
        Assert.Equal(together, batch.GrowsTogether);
        for (var round = 0; round < 2; round++) // the second time with everything in the prefix cache
        {
            var answers = await Task.WhenAll(mixed.Select((r, i) => AllAsync(batch.GenerateAsync(r.Prompt, r.Options, $"client {i % 3}", Ct))));
            for (var i = 0; i < mixed.Length; i++)
                Assert.Equal(alone[i], Words(answers[i]));
        }
        Assert.Equal((0, 0), (batch.Requests, batch.Waiting));
        var steps = batch.Steps;
        Assert.Equal(5, steps.Max(s => s.Rows));
        Assert.Contains(steps, s => s.Waiting > 0);
    }

    [Fact]
    public async Task ProbabilitiesOfARow_DoNotDependOnItsNeighbours()
    {
        using var batch = BatchedGenerator.Load(models.At("contrib"));
        var options = new SamplingOptions(20) { TopLogProbabilities = 5 };
        var alone = await AllAsync(batch.GenerateAsync(Prompt(9, 20), options, ct: Ct));
        var together = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => AllAsync(batch.GenerateAsync(i == 3 ? Prompt(9, 20) : Prompt(20 + i, 10 + 30 * i), options, ct: Ct))));
        for (var t = 0; t < alone.Count; t++)
            for (var k = 0; k < 5; k++)
                Assert.Equal(alone[t].Alternatives![k].LogProbability, together[3][t].Alternatives![k].LogProbability, 1e-4);
    }

    [Fact]
    public async Task ALongPrompt_IsComputedBetweenTheStepsOfOthers()
    {
        using var batch = BatchedGenerator.Load(models.At("contrib"), new() { PrefixCacheBytes = 0 }, new(PromptChunk: 32));
        await using var first = batch.GenerateAsync(Prompt(1, 5), new(300) { MinNewTokens = 300 }, ct: Ct).GetAsyncEnumerator(Ct);
        Assert.True(await first.MoveNextAsync());
        var second = await AllAsync(batch.GenerateAsync(Prompt(2, 320), new(5) { MinNewTokens = 5 }, ct: Ct));
        Assert.Equal(5, second.Count);
        var steps = batch.Steps.Where(s => s.PromptTokens > 0).ToList();
        Assert.Equal(325, steps.Sum(s => s.PromptTokens));
        Assert.All(steps.Skip(1), s => Assert.InRange(s.PromptTokens, 1, 32));
        Assert.All(steps.Skip(1), s => Assert.True(s.Rows >= 1, "Nobody got a token while the prompt was computed."));
    }

    [Fact]
    public async Task WhoeverGivesUp_LeavesTheBatch_AndNobodyElseNotices()
    {
        using var single = TextGenerator.Load(models.At("contrib"), new() { PrefixCacheBytes = 0 });
        var expected = Words(single.Generate(Prompt(11, 12), new(120), Ct));
        using var batch = BatchedGenerator.Load(models.At("contrib"));
        using var stop = new CancellationTokenSource();
        var kept = AllAsync(batch.GenerateAsync(Prompt(11, 12), new(120), ct: Ct));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var token in batch.GenerateAsync(Prompt(12, 12), new(400) { MinNewTokens = 400 }, ct: stop.Token))
                await stop.CancelAsync();
        });
        await foreach (var token in batch.GenerateAsync(Prompt(13, 12), new(400) { MinNewTokens = 400 }, ct: Ct))
            break; // giving up the enumeration is enough
        Assert.Equal(expected, Words(await kept));
        Assert.Equal(0, batch.Requests);
    }

    [Fact]
    public async Task WhatPromptsBeginWith_IsComputedOnce()
    {
        using var batch = BatchedGenerator.Load(models.At("contrib"));
        var first = await AllAsync(batch.GenerateAsync(Prompt(14, 90), new(10) { MinNewTokens = 10 }, ct: Ct));
        Assert.Equal(0, first[0].CachedPromptTokens);
        // A conversation goes on: the prompt of before, its answer, and something new.
        int[] next = [.. Prompt(14, 90), .. first.Select(t => t.Id), .. Prompt(15, 20)];
        var second = await AllAsync(batch.GenerateAsync(next, new(10), ct: Ct));
        Assert.Equal(99, second[0].CachedPromptTokens); // the last token was chosen, but never computed
        Assert.Equal(21, batch.Steps.Where(s => s.PromptTokens > 0).Sum(s => s.PromptTokens) - 90);
    }

    [Fact]
    public async Task ARequestThatCannotGoOn_EndsAlone()
    {
        using var batch = BatchedGenerator.Load(models.At("contrib"));
        var fine = AllAsync(batch.GenerateAsync(Prompt(16, 10), new(60) { MinNewTokens = 60 }, ct: Ct));
        // The grammar wants a number of one digit, and everything that could begin it is ruled out.
        var biases = Enumerable.Range(0, batch.Tokenizer.VocabularySize).Where(i => !batch.Tokenizer.IsSpecial(i)).ToDictionary(i => i, _ => -1f);
        var grammar = OutputGrammar.FromSchema("""{"const": 7}""");
        var stuck = AllAsync(batch.GenerateAsync(Prompt(17, 10), new(60) { Grammar = grammar, LogitBias = biases, EndTokens = [.. batch.Tokenizer.Encode("7")], MinNewTokens = 60 }, ct: Ct));
        await Assert.ThrowsAsync<ArgumentException>(() => stuck);
        Assert.Equal(60, (await fine).Count);
        Assert.Throws<ArgumentException>(() => batch.GenerateAsync([], new(1), ct: Ct));
        Assert.Throws<ArgumentException>(() => batch.GenerateAsync(Prompt(1, 5), new(0), ct: Ct));
    }

    [Fact]
    public async Task AClosedModel_EndsWhatIsUnderWay_WithAnError()
    {
        var batch = BatchedGenerator.Load(models.At("contrib"));
        var answer = AllAsync(batch.GenerateAsync(Prompt(18, 10), new(500) { MinNewTokens = 500 }, ct: Ct));
        while (batch.Steps.Count == 0)
            await Task.Delay(5, Ct);
        batch.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => answer);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => AllAsync(batch.GenerateAsync(Prompt(18, 10), new(5), ct: Ct)));
    }

    [Fact]
    public void WaitingClients_TakeTurnsByWhatTheyGot()
    {
        var queue = new FairQueue<string>();
        foreach (var i in Enumerable.Range(1, 4))
            queue.Add("busy", $"busy {i}");
        string Next(string client, int tokens)
        {
            var taken = queue.Take()!;
            queue.Charge(client, tokens);
            return taken;
        }
        Assert.Equal("busy 1", Next("busy", 100));
        queue.Add("new", "new 1");
        queue.Add("new", "new 2");
        Assert.Equal("new 1", Next("new", 60));
        Assert.Equal("new 2", Next("new", 60));
        Assert.Equal("busy 2", Next("busy", 10)); // 100 against 120
        Assert.Equal("busy 3", Next("busy", 30)); // 110
        // A pause saves up no turns: whoever comes now starts level with the one served last, at 110.
        queue.Add("late", "late 1");
        Assert.Equal("late 1", Next("late", 5));
        Assert.Equal(["busy 4"], queue.Remove(_ => true));
        Assert.Null(queue.Take());
    }
}

/// <summary>One tiny model in every form whose rows a batch treats differently.</summary>
public sealed class BatchedModels : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public BatchedModels()
    {
        TinyModels.WriteLlama(folder.At("hf"), context: 640);
        new DecoderExport().Run(folder.At("hf"), At("contrib"));
        new DecoderExport(GraphForm.Portable).Run(folder.At("hf"), At("portable"));
        new BlockwiseRtn(Bits: 8, BlockSize: 32).Run(At("contrib"), At("weights8"));
        new BlockwiseRtn(Bits: 4, BlockSize: 32).Run(At("contrib"), At("weights4"));
        new DynamicInt8().Run(At("contrib"), At("dynamic8"));
    }

    public string At(string name) => folder.At(name);

    public void Dispose() => folder.Dispose();
}
