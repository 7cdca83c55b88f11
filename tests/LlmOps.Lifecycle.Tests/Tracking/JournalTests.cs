using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Tracking.Journal;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Tracking;

/// <summary>Points between their acknowledgement and the database: what a process leaves behind that is killed there.</summary>
public abstract class JournalTests(DatabaseProvider provider) : ProductTests(provider)
{
    private string Folder => Path.Combine(Product.Folder, "journal");

    private async Task<(Guid Run, Guid Experiment)> RunAsync()
    {
        var experiment = await Get<CreateExperiment>().CreateAsync($"e{Guid.NewGuid():N}", null, [], Product.Alice);
        return ((await Get<StartRun>().StartAsync(new(experiment, null, "alice", null, []))).Id, experiment);
    }

    private static LoggedMetric Point(string key, double value, long step) => new(key, value, DateTimeOffset.FromUnixTimeMilliseconds(1000 + step), step);

    /// <summary>Acknowledged by a process that never got to its database.</summary>
    private async Task LeaveAsync(params LoggedPoints[] batches)
    {
        await using var journal = new PointJournal(Folder);
        foreach (var batch in batches)
            await journal.AppendAsync(batch, default);
    }

    private async Task ReplayAsync()
    {
        Get<DrainJournal>().Start();
        await Get<DrainJournal>().SettleAsync();
    }

    private Task<List<string>> StoredAsync() =>
        ReadAsync(async db => (await db.Metrics.AsNoTracking().ToListAsync()).Select(m => FormattableString.Invariant($"{m.Key}@{m.Step}={(m.IsNan ? double.NaN : m.Value)}")).Order(StringComparer.Ordinal).ToList());

    [Fact]
    public async Task Points_AreThere_AfterTheProcessThatAcknowledgedThemWasKilled_AndStoredOnce_WhenReplayedAgain()
    {
        var (run, experiment) = await RunAsync();
        await LeaveAsync(new LoggedPoints(run, experiment, [Point("loss", 3, 1), Point("naïve £", double.NaN, 1)]), new LoggedPoints(run, experiment, [Point("loss", 2, 2), Point("loss", 3, 1)]));
        var file = Path.Combine(Folder, "points-0a.journal");
        var left = await File.ReadAllBytesAsync(file);
        await ReplayAsync();
        string[] expected = ["loss@1=3", "loss@2=2", "naïve £@1=NaN"];
        Assert.Equal(expected, await StoredAsync());
        Assert.Equal([("loss", 2.0), ("naïve £", double.NaN)], (await Get<ReadLoggedRuns>().GetAsync(run)).Metrics.Select(m => (m.Key, m.Number)));
        // as if it had been killed between the commit and forgetting
        await File.WriteAllBytesAsync(Path.Combine(Folder, "points-7a.journal"), left);
        await using (var other = new PointJournal(Folder))
        await using (var drain = new DrainJournal(Product.Dbs, other, Get<LlmOps.Lifecycle.Data.DatabaseTurn>(), Microsoft.Extensions.Logging.Abstractions.NullLogger<DrainJournal>.Instance))
        {
            drain.Start();
            Assert.True(other.HasPending);
            await drain.SettleAsync();
        }
        Assert.Equal(expected, await StoredAsync());
        Assert.Equal(0, new FileInfo(Path.Combine(Folder, "points-7a.journal")).Length);
    }

    /// <summary>Two processes that start again at once: what one of them adopted is not the other's to write to, and nothing is taken from under it.</summary>
    [Fact]
    public async Task FilesThatAnotherProcessAdopted_AreLeftAlone_AndWhatIsAcknowledgedMeanwhileIsRead()
    {
        var (run, experiment) = await RunAsync();
        await LeaveAsync(new LoggedPoints(run, experiment, [Point("left", 1, 1)]));
        Directory.Move(Path.Combine(Folder, "points-0a.journal"), Path.Combine(Folder, "points-1a.journal"));
        await using (var adopter = new PointJournal(Folder))
        {
            adopter.Open();
            Assert.True(adopter.HasPending);
            // the other one starts in this moment, and is killed after it has said that the point is safe
            await using (var other = new PointJournal(Folder))
            {
                await other.AppendAsync(new(run, experiment, [Point("theirs", 1, 1)]), default);
                Assert.Equal("left", Assert.Single(adopter.Seal()!.Points).Metrics.Single().Key);
                adopter.Release();
            }
        }
        await ReplayAsync();
        Assert.Equal(["theirs@1=1"], await StoredAsync());
    }

    [Fact]
    public async Task FileOfASlotThatIsHeldByHalf_MakesNobodyFail()
    {
        var (run, experiment) = await RunAsync();
        Directory.CreateDirectory(Folder);
        using (File.Open(Path.Combine(Folder, "points-0b.journal"), FileMode.Create, FileAccess.ReadWrite, FileShare.None))
            await LeaveAsync(new LoggedPoints(run, experiment, [Point("m", 1, 1)]));
        await ReplayAsync();
        Assert.Equal(["m@1=1"], await StoredAsync());
    }

    /// <summary>After a write that the database refused: the points that came since are asked for as well as those that wait from before.</summary>
    [Fact]
    public async Task Reader_FindsWhatWasAcknowledgedBefore_AlsoAfterTheDatabaseFailedOnce()
    {
        var (run, experiment) = await RunAsync();
        var dbs = new FailingOnce(Product.Dbs);
        await using var journal = new PointJournal(Path.Combine(Product.Folder, "journal-of-another"));
        await using var drain = new DrainJournal(dbs, journal, Get<LlmOps.Lifecycle.Data.DatabaseTurn>(), Microsoft.Extensions.Logging.Abstractions.NullLogger<DrainJournal>.Instance);
        await drain.AppendAsync(new(run, experiment, [Point("m", 1, 1)]), default);
        await Assert.ThrowsAsync<IOException>(() => drain.SettleAsync());
        await drain.AppendAsync(new(run, experiment, [Point("m", 2, 2)]), default);
        await drain.SettleAsync();
        Assert.Equal(["m@1=1", "m@2=2"], await StoredAsync());
    }

    private sealed class FailingOnce(IDbContextFactory<LlmOps.Lifecycle.Data.LlmOpsDb> dbs) : IDbContextFactory<LlmOps.Lifecycle.Data.LlmOpsDb>
    {
        private bool failed;

        public LlmOps.Lifecycle.Data.LlmOpsDb CreateDbContext()
        {
            if (failed)
                return dbs.CreateDbContext();
            failed = true;
            throw new IOException("The database is away.");
        }
    }

    /// <summary>Bytes that the disk did not get, or got wrong: what stands before them counts.</summary>
    [Theory]
    [InlineData(-1, 2)]
    [InlineData(-60, 2)]
    [InlineData(-70, 1)]
    [InlineData(20, 0)]
    public async Task Journal_IsReadUpToTheFirstRecordThatIsNotWhole(int wrongAt, int whole)
    {
        var (run, experiment) = await RunAsync();
        await LeaveAsync([.. Enumerable.Range(0, 3).Select(i => new LoggedPoints(run, experiment, [Point("m", i, i)]))]);
        var file = Path.Combine(Folder, "points-0a.journal");
        var bytes = await File.ReadAllBytesAsync(file);
        // a record of one point with a name of one letter has 79 bytes
        Assert.Equal(8 + 3 * 79, bytes.Length);
        if (wrongAt is -70)
            bytes = bytes[..(8 + 2 * 79 - 1)];
        else
            bytes[wrongAt < 0 ? bytes.Length + wrongAt : wrongAt] ^= 0x40;
        await File.WriteAllBytesAsync(file, bytes);
        await ReplayAsync();
        Assert.Equal(Enumerable.Range(0, whole).Select(i => $"m@{i}={i}"), await StoredAsync());
    }

    [Fact]
    public async Task RecordsOfAnEarlierGeneration_AreNotReadAgain()
    {
        var (run, experiment) = await RunAsync();
        await using (var journal = new PointJournal(Folder))
        {
            for (var i = 0; i < 4; i++)
                await journal.AppendAsync(new(run, experiment, [Point("m", i, i)]), default);
            Assert.Equal(4, journal.Seal()!.Points.Count);
            await journal.AppendAsync(new(run, experiment, [Point("m", 4, 4)]), default);
            journal.Release();
            Assert.Single(journal.Seal()!.Points);
            // over the first of the four, which the database has
            await journal.AppendAsync(new(run, experiment, [Point("m", 5, 5)]), default);
            journal.Release();
        }
        await using var next = new PointJournal(Folder);
        next.Open();
        Assert.Equal(5, Assert.Single(next.Seal()!.Points).Metrics.Single().Step);
    }

    [Fact]
    public async Task TwoProcesses_HaveFilesOfTheirOwn_AndThePointsOfARunThatIsGoneAreLeftOut()
    {
        var (run, experiment) = await RunAsync();
        await Get<WriteGroups>().WriteAsync(LogBatch.Checked(run, [Point("mine", 1, 1)]));
        await LeaveAsync(new LoggedPoints(run, experiment, [Point("theirs", 1, 1)]), new LoggedPoints(Guid.NewGuid(), experiment, [Point("gone", 1, 1)]));
        Assert.True(File.Exists(Path.Combine(Folder, "points-1a.journal")));
        await using (var journal = new PointJournal(Folder))
        await using (var drain = new DrainJournal(Product.Dbs, journal, Get<LlmOps.Lifecycle.Data.DatabaseTurn>(), Microsoft.Extensions.Logging.Abstractions.NullLogger<DrainJournal>.Instance))
        {
            drain.Start();
            await drain.SettleAsync();
        }
        Assert.Single((await Get<ReadMetricHistory>().PageAsync(run, "mine", null, null)).Items);
        Assert.Equal(["mine@1=1", "theirs@1=1"], await StoredAsync());
    }

    [Fact]
    public async Task Journal_TakesNoMore_WhenTheDatabaseDoesNotKeepUp_AndDoesAgainAfterwards()
    {
        var (run, experiment) = await RunAsync();
        await using var journal = new PointJournal(Folder, most: 500);
        for (var i = 0; i < 7; i++)
            await journal.AppendAsync(new(run, experiment, [Point("m", i, i)]), default);
        var refused = await Assert.ThrowsAsync<LlmOpsException>(() => journal.AppendAsync(new(run, experiment, [Point("m", 7, 7)]), default));
        Assert.Equal(ErrorCode.TemporarilyUnavailable, refused.Code);
        var waits = journal.AppendAsync(new(run, experiment, [Point("m", 8, 8)]), default);
        Assert.Equal(7, journal.Seal()!.Points.Count);
        await waits.WaitAsync(TimeSpan.FromSeconds(10));
    }
}

public sealed class JournalOnSqlite() : JournalTests(DatabaseProvider.Sqlite);

public sealed class JournalOnPostgres() : JournalTests(DatabaseProvider.Postgres);
