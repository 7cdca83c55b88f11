using LlmOps.Engines.Inference;
using LlmOps.Engines.Optimization;

namespace LlmOps.Engines.Tests.Inference;

public sealed class ModelResidencyTests(ExportedModels models)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task BorrowAsync_ReloadsAGeneratorThatHadToGo_AndItAnswersTheSame()
    {
        static int[] Answer(TextGenerator generator) => [.. generator.Generate([1, 70, 90], new(6, MinNewTokens: 6), Ct).Select(t => t.Id)];
        int[] first, second, again;
        // Room for one of the two at a time: the caches come on top of the files.
        using var resident = TextGenerator.Resident(Directory.EnumerateFiles(models.UntiedOnnx, "*.onnx*").Sum(f => new FileInfo(f).Length) + (96 << 10), new(Threads: 1));

        using (var lease = await resident.BorrowAsync(models.TiedOnnx, Ct))
            first = Answer(lease.Value);
        var bytes = resident.Counters.Bytes;
        using (var lease = await resident.BorrowAsync(models.UntiedOnnx, Ct))
            second = Answer(lease.Value);
        using (var lease = await resident.BorrowAsync(models.TiedOnnx, Ct))
            again = Answer(lease.Value);

        Assert.Equal(first, again);
        Assert.NotEqual(first, second);
        Assert.Equal((0, 3, 2, 1), (resident.Counters.Hits, resident.Counters.Loads, resident.Counters.Evictions, resident.Counters.Models));
        Assert.True(bytes > Directory.EnumerateFiles(models.TiedOnnx, "*.onnx*").Sum(f => new FileInfo(f).Length));
        Assert.Equal(bytes, resident.Counters.Bytes);
    }

    [Fact]
    public async Task Resident_OptimisesAModelOnce_AndLoadsTheCopyAgain()
    {
        static int[] Answer(TextGenerator generator) => [.. generator.Generate([1, 70, 90], new(6, MinNewTokens: 6), Ct).Select(t => t.Id)];
        var (folder, copies, answers) = (models.Copy(models.TiedOnnx), models.New(), new List<int[]>());
        using (var resident = TextGenerator.Resident(long.MaxValue, new(Threads: 1), copies))
        {
            for (var i = 0; i < 2; i++)
            {
                using (var lease = await resident.BorrowAsync(folder, Ct))
                    answers.Add(Answer(lease.Value));
                resident.Keep(new HashSet<string>());
            }
            Assert.Equal(2, resident.Counters.Loads);
            var copy = Assert.Single(Directory.GetDirectories(copies));
            Assert.Equal("All", OptimizationRecord.Find(copy)!.Level);

            // The copy is what is loaded: without its graph it cannot be.
            File.Delete(Path.Combine(copy, "model.onnx"));
            await Assert.ThrowsAsync<InvalidModelException>(() => resident.BorrowAsync(folder, Ct));
            // Other content gets a copy of its own.
            File.SetLastWriteTimeUtc(Path.Combine(folder, "model.onnx"), DateTime.UnixEpoch);
            using (var lease = await resident.BorrowAsync(folder, Ct))
                answers.Add(Answer(lease.Value));
        }

        Assert.Equal(2, Directory.GetDirectories(copies).Length);
        Assert.All(answers, a => Assert.Equal(answers[0], a));
    }

    [Fact]
    public async Task BorrowAsync_LoadsOnce_ForManyAtTheSameTime()
    {
        var opened = new TaskCompletionSource();
        var loads = 0;
        using var resident = new ModelResidency<Thing>(async (key, _) =>
        {
            Interlocked.Increment(ref loads);
            await opened.Task;
            return new Thing(key);
        });

        var waiting = Enumerable.Range(0, 20).Select(_ => resident.BorrowAsync("a", Ct)).ToList();
        opened.SetResult();
        var leases = await Task.WhenAll(waiting);

        Assert.Equal((1, 1), (loads, leases.Select(l => l.Value).Distinct().Count()));
        Assert.Equal((19, 1), (resident.Counters.Hits, resident.Counters.Loads));
    }

    [Fact]
    public async Task BorrowAsync_WaitsForRoom_AndNeverClosesWhatIsInUse()
    {
        using var resident = new ModelResidency<Thing>((key, _) => Task.FromResult(new Thing(key))) { MostBytes = 10, Declare = _ => 5 };
        var a = await resident.BorrowAsync("a", Ct);
        var b = await resident.BorrowAsync("b", Ct);

        var c = resident.BorrowAsync("c", Ct);
        using var impatient = new CancellationTokenSource();
        var given = resident.BorrowAsync("d", impatient.Token);
        await impatient.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);
        Assert.Equal((false, false, false), (c.IsCompleted, a.Value.IsClosed, b.Value.IsClosed));
        Assert.Equal((2, 10L), (resident.Counters.Waits, resident.Counters.Bytes));
        a.Dispose();
        using var third = await c;
        Assert.Equal((true, false, "c"), (a.Value.IsClosed, b.Value.IsClosed, third.Value.Key));
        b.Dispose();
    }

    [Fact]
    public async Task BorrowAsync_ClosesTheLeastRecentlyUsed_AndRefusesWhatNeverFits()
    {
        using var resident = new ModelResidency<Thing>((key, _) => Task.FromResult(new Thing(key))) { MostModels = 2, MostBytes = 100, Declare = key => key.Length };
        foreach (var key in new[] { "a", "b", "a", "c" })
            (await resident.BorrowAsync(key, Ct)).Dispose();

        Assert.Equal(["a", "c"], resident.Keys.Order());
        Assert.Contains("may take", (await Assert.ThrowsAsync<ArgumentException>(() => resident.BorrowAsync(new string('x', 101), Ct))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task BorrowAsync_MakesRoomForWhatGrewWhileItWasUsed()
    {
        using var resident = new ModelResidency<Thing>((key, _) => Task.FromResult(new Thing(key))) { MostBytes = 10, Declare = _ => 4, Measure = thing => thing.Bytes };
        (await resident.BorrowAsync("a", Ct)).Dispose();
        var b = await resident.BorrowAsync("b", Ct);
        b.Value.Bytes = 9;
        b.Dispose();

        Assert.Equal(["b"], resident.Keys);
        Assert.Equal((9L, 1L), (resident.Counters.Bytes, resident.Counters.Evictions));
    }

    [Fact]
    public async Task BorrowAsync_TriesAgain_AfterALoadingThatFailed()
    {
        var broken = true;
        using var resident = new ModelResidency<Thing>((key, _) => broken ? throw new InvalidModelException("cut off") : Task.FromResult(new Thing(key))) { MostBytes = 5, Declare = _ => 5 };

        await Assert.ThrowsAsync<InvalidModelException>(() => resident.BorrowAsync("a", Ct));
        Assert.Equal((0, 0L), (resident.Counters.Models, resident.Counters.Bytes));
        broken = false;
        using var lease = await resident.BorrowAsync("a", Ct);

        Assert.Equal("a", lease.Value.Key);
    }

    [Fact]
    public async Task Keep_ClosesTheOthers_WhenTheirLastUserGivesThemBack()
    {
        using var resident = new ModelResidency<Thing>((key, _) => Task.FromResult(new Thing(key))) { Declare = _ => 5 };
        var (a, b) = (await resident.BorrowAsync("a", Ct), await resident.BorrowAsync("b", Ct));
        b.Dispose();

        resident.Keep(new HashSet<string> { "c" });

        Assert.Equal((false, true, 5L), (a.Value.IsClosed, b.Value.IsClosed, resident.Counters.Bytes));
        a.Dispose();
        Assert.Equal((true, 0L), (a.Value.IsClosed, resident.Counters.Bytes));
    }

    private sealed class Thing(string key) : IDisposable
    {
        public string Key => key;
        public long Bytes { get; set; } = 4;
        public bool IsClosed { get; private set; }

        public void Dispose()
        {
            Assert.False(IsClosed);
            IsClosed = true;
        }
    }
}
