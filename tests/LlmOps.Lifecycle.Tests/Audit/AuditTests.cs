using System.Reflection;
using LlmOps.Lifecycle.Identity;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Audit;

public abstract class AuditTests(DatabaseProvider provider) : ProductTests(provider)
{
    public static TheoryData<string> Names => [.. UseCases.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Change_IsStoredWithItsAuditEntry_OrNotAtAll(string name)
    {
        var useCase = UseCases.All[name];
        var act = await useCase.Arrange(Product);
        var before = await DatabaseText.ReadAsync(Product);
        if (useCase.NeedsARole)
        {
            await RefusedAsync(ErrorCode.PermissionDenied, () => act(Product.Victor));
            Assert.Equal(before, await DatabaseText.ReadAsync(Product));
        }

        await BreakAuditAsync();
        var failure = await Assert.ThrowsAsync<DbUpdateException>(() => act(useCase.By(Product)));
        Assert.Contains("the audit is broken", failure.InnerException!.Message, StringComparison.Ordinal);
        Assert.Equal(before, await DatabaseText.ReadAsync(Product));

        await MendAuditAsync();
        var entries = await CountAsync(db => db.Audit);
        await act(useCase.By(Product));
        var written = await ReadAsync(db => db.Audit.OrderBy(a => a.Id).Skip(entries).ToListAsync());
        var entry = Assert.Single(written, a => $"{a.Action} {a.Subject}" == useCase.Entry);
        Assert.NotEmpty(entry.ActorName);
        Assert.NotEmpty(entry.SubjectId);
        Assert.NotEqual(before, await DatabaseText.ReadAsync(Product));
    }

    /// <summary>From here on no entry can be written, so nothing that has one may be stored.</summary>
    private async Task BreakAuditAsync()
    {
        await using var db = Product.Open();
        await db.Database.ExecuteSqlRawAsync(Product.Provider == DatabaseProvider.Sqlite
            ? "CREATE TRIGGER break_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'the audit is broken'); END"
            : "CREATE FUNCTION break_audit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the audit is broken'; END $$; CREATE TRIGGER break_audit BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION break_audit()");
    }

    private async Task MendAuditAsync()
    {
        await using var db = Product.Open();
        await db.Database.ExecuteSqlRawAsync(Product.Provider == DatabaseProvider.Sqlite ? "DROP TRIGGER break_audit" : "DROP TRIGGER break_audit ON audit");
    }

    [Fact]
    public async Task Entry_SaysWhoDidWhat_WithValuesBeforeAndAfter()
    {
        await Product.VersionAsync();
        await Get<LlmOps.Lifecycle.Registry.DescribeModel>().DescribeAsync("tiny-lm", "Defines words.", Product.Alice);
        var entry = await ReadAsync(db => db.Audit.OrderByDescending(a => a.Id).FirstAsync());
        Assert.Equal((Product.Alice.Id, "alice", "describe", "model", "tiny-lm"), (entry.ActorId, entry.ActorName, entry.Action, entry.Subject, entry.SubjectId));
        Assert.Equal(("""{"description":""}""", """{"description":"Defines words."}"""), (entry.Before, entry.After));
    }
}

/// <summary>A use case that nobody added to the table would be one that nobody checks.</summary>
public sealed class AuditCoverageTests
{
    // They choose between use cases that are in the table.
    private static readonly string[] Combinations = ["QuickstartSetup.StartOrResumeAsync", "QuickstartSetup.EnsureStartedAsync"];

    [Fact]
    public void EveryMethodThatSomebodyActsThrough_IsInTheTable()
    {
        // What only reads may ask who reads.
        var acting = typeof(LlmOpsException).Assembly.GetTypes().Where(t => t.IsPublic && t.IsSealed && !t.IsAbstract && !t.Name.StartsWith("Read", StringComparison.Ordinal))
            .SelectMany(t => t.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly).Where(m => m.Name.EndsWith("Async", StringComparison.Ordinal)
                && m.GetParameters().Any(p => p.ParameterType == typeof(Actor))).Select(m => $"{t.Name}.{m.Name}"));
        Assert.Empty(acting.Distinct().Except(UseCases.All.Values.Select(u => u.Method)).Except(Combinations));
    }
}

public sealed class AuditOnSqlite() : AuditTests(DatabaseProvider.Sqlite);

public sealed class AuditOnPostgres() : AuditTests(DatabaseProvider.Postgres);
