using System.Text.Json;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Audit;

public sealed class SqliteAuditChainTests() : AuditChainTests(DatabaseProvider.Sqlite);

public sealed class PostgresAuditChainTests() : AuditChainTests(DatabaseProvider.Postgres);

public abstract class AuditChainTests(DatabaseProvider provider) : ProductTests(provider)
{
    private VerifyAudit Verify => Get<VerifyAudit>();

    private async Task RecordAsync(int count)
    {
        await Product.ReadAsync(async db =>
        {
            for (var i = 0; i < count; i++)
                db.Record(Actor.System, "try", "thing", i, DateTimeOffset.UtcNow, new { before = i }, new { after = "ä\n" + i });
            return await db.SaveChangesAsync();
        });
    }

    private Task<int> SqlAsync(string sql) => Product.ReadAsync(db => db.Database.ExecuteSqlRawAsync(sql));

    [Fact]
    public async Task Chain_IsIntactAfterManyWritersAtOnce()
    {
        await AtOnceAsync(8, async _ => { await RecordAsync(5); return 0; });
        var report = await Verify.VerifyAsync([]);
        Assert.True(report.IsIntact, report.Words);
        Assert.Equal(await CountAsync(db => db.Audit), report.Entries);
        Assert.Equal(report.Entries, report.Head!.Sequence);
        Assert.Equal(report.Head, await Verify.HeadAsync());
    }

    [Fact]
    public async Task Chain_GrowsByNothingWhenTheChangeIsUndone()
    {
        await RecordAsync(2);
        var before = await Verify.HeadAsync();
        await Product.ReadAsync(async db =>
        {
            await using var transaction = await db.Database.BeginTransactionAsync();
            db.Record(Actor.System, "try", "thing", "undone", DateTimeOffset.UtcNow);
            await db.SaveChangesAsync();
            return 0;
        });
        Assert.Equal(before, await Verify.HeadAsync());
        Assert.True((await Verify.VerifyAsync([])).IsIntact);
    }

    [Theory]
    [InlineData("UPDATE audit SET \"ActorName\" = 'somebody' WHERE \"Sequence\" = 3", "entry 3 (try thing by somebody) was edited")]
    [InlineData("UPDATE audit SET \"After\" = 'null' WHERE \"Sequence\" = 2", "entry 2 (try thing by system) was edited")]
    [InlineData("UPDATE audit SET \"At\" = \"At\" + 1 WHERE \"Sequence\" = 2", "was edited")]
    [InlineData("DELETE FROM audit WHERE \"Sequence\" = 3", "entry 3 is gone")]
    [InlineData("DELETE FROM audit WHERE \"Sequence\" >= 5", "its end was cut off")]
    [InlineData("DELETE FROM audit_head", "end of the chain is gone, though there are 6")]
    [InlineData("UPDATE audit_head SET \"Sequence\" = 2, \"Hash\" = (SELECT \"Hash\" FROM audit WHERE \"Sequence\" = 2)", "set back to entry 2, though there are 6")]
    [InlineData("UPDATE audit SET \"Sequence\" = 9 WHERE \"Sequence\" = 6", "entries 6 to 8 are gone")]
    [InlineData("UPDATE audit SET \"Sequence\" = NULL WHERE \"Sequence\" = 4", "beside the chain")]
    [InlineData("UPDATE audit SET \"PreviousHash\" = \"Hash\" WHERE \"Sequence\" = 4", "does not follow entry 3")]
    public async Task Verify_FindsEachKindOfTampering(string sql, string said)
    {
        await RecordAsync(6);
        Assert.True((await Verify.VerifyAsync([])).IsIntact);
        Assert.True(await SqlAsync(sql) > 0);
        var report = await Verify.VerifyAsync([]);
        Assert.False(report.IsIntact);
        Assert.Contains(report.Problems, p => p.What.Contains(said, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Verify_FindsAChainWrittenAnewOnlyByANotedHead()
    {
        await RecordAsync(3);
        var noted = await Verify.HeadAsync();
        await RecordAsync(2);
        Assert.True((await Verify.VerifyAsync([noted])).IsIntact);
        // Whoever owns the database removes an entry and chains the rest again, correctly.
        await Product.ReadAsync(async db =>
        {
            await db.Audit.Where(a => a.Sequence == 2).ExecuteDeleteAsync();
            await db.Audit.ExecuteUpdateAsync(s => s.SetProperty(a => a.Sequence, (long?)null));
            await db.AuditHeads.ExecuteUpdateAsync(s => s.SetProperty(h => h.Sequence, 0).SetProperty(h => h.Hash, AuditChain.Start));
            return 0;
        });
        await DatabaseSetup.MigrateAsync(Get<IDbContextFactory<LlmOpsDb>>());
        Assert.True((await Verify.VerifyAsync([])).IsIntact);
        var report = await Verify.VerifyAsync([noted]);
        Assert.Contains("written anew", report.Words, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_ChainsEntriesFromBeforeTheChain_Once()
    {
        await RecordAsync(4);
        await Product.ReadAsync(async db =>
        {
            await db.Audit.ExecuteUpdateAsync(s => s.SetProperty(a => a.Sequence, (long?)null).SetProperty(a => a.Hash, (string?)null).SetProperty(a => a.PreviousHash, (string?)null));
            return await db.AuditHeads.ExecuteDeleteAsync();
        });
        Assert.False((await Verify.VerifyAsync([])).IsIntact);
        var dbs = Get<IDbContextFactory<LlmOpsDb>>();
        await DatabaseSetup.MigrateAsync(dbs);
        var head = await Verify.HeadAsync();
        await DatabaseSetup.MigrateAsync(dbs);
        Assert.Equal(head, await Verify.HeadAsync());
        Assert.True((await Verify.VerifyAsync([])).IsIntact);
        // An entry slipped in beside a chain that exists is never taken into it.
        Assert.Equal(1, await SqlAsync("UPDATE audit SET \"Sequence\" = NULL WHERE \"Sequence\" = 2"));
        await DatabaseSetup.MigrateAsync(dbs);
        Assert.False((await Verify.VerifyAsync([])).IsIntact);
    }

    [Fact]
    public async Task Export_IsVerifiedWithoutTheDatabase()
    {
        await RecordAsync(5);
        var file = Path.GetTempFileName();
        try
        {
            var lines = new List<string>();
            await foreach (var entry in Verify.ExportAsync())
                lines.Add(JsonSerializer.Serialize(entry, Json.Options));
            await File.WriteAllLinesAsync(file, lines);
            var head = await Verify.HeadAsync();
            Assert.True((await VerifyAudit.VerifyFileAsync(file, [head])).IsIntact);
            await File.WriteAllLinesAsync(file, lines.Select(l => l.Replace("\"try\"", "\"sly\"", StringComparison.Ordinal)));
            Assert.Equal(5, (await VerifyAudit.VerifyFileAsync(file, [])).Problems.Count(p => p.What.Contains("sly thing", StringComparison.Ordinal)));
            await File.WriteAllLinesAsync(file, lines.SkipLast(1));
            Assert.True((await VerifyAudit.VerifyFileAsync(file, [])).IsIntact);
            Assert.False((await VerifyAudit.VerifyFileAsync(file, [head])).IsIntact);
            await File.WriteAllTextAsync(file, "{");
            Assert.Contains("Line 1", await RefusedAsync(ErrorCode.InvalidParameterValue, () => VerifyAudit.VerifyFileAsync(file, [])), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void Head_IsRefusedWhenItIsNone() => Assert.Contains("no audit head", Assert.Throws<LlmOpsException>(() => AuditHeadNote.Parse("12")).Message, StringComparison.Ordinal);
}
