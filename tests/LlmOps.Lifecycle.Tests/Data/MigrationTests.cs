using LlmOps.Lifecycle.Data;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace LlmOps.Lifecycle.Tests.Data;

public abstract class MigrationTests(DatabaseProvider provider)
{
    [Fact]
    public async Task Provider_HasMigrations_ThatMakeTheWholeModel()
    {
        await using var database = await TestDatabase.CreateWithoutSchemaAsync(provider);
        await using var db = database.Open();
        Assert.NotEmpty(db.Database.GetMigrations());
        Assert.False(db.Database.HasPendingModelChanges(), $"The model has changes that no migration of {provider} makes. Run dotnet ef migrations add for both providers.");
        await db.Database.MigrateAsync();
        Assert.Empty(await db.Database.GetPendingMigrationsAsync());
        foreach (var type in db.Model.GetEntityTypes())
        {
            var columns = string.Join(", ", type.GetProperties().Select(p => $"\"{p.GetColumnName()}\""));
            // Fails when a table or a column is missing.
            var query = $"SELECT {columns} FROM \"{type.GetTableName()}\" LIMIT 1";
            await db.Database.ExecuteSqlRawAsync(query);
        }
    }

    [Fact]
    public async Task Migrate_ChangesNothing_WhenRepeated()
    {
        await using var database = await TestDatabase.CreateAsync(provider);
        await using var db = database.Open();
        var before = await db.Database.GetAppliedMigrationsAsync();
        await db.Database.MigrateAsync();
        Assert.Equal(before, await db.Database.GetAppliedMigrationsAsync());
    }

    [Fact]
    public async Task OldParametersAndTags_LearnExperimentAndStartOfTheirRun()
    {
        await using var database = await TestDatabase.CreateWithoutSchemaAsync(provider);
        await using var db = database.Open();
        await db.GetService<IMigrator>().MigrateAsync(db.Database.GetMigrations().Single(m => m.EndsWith("_Drift", StringComparison.Ordinal)));
        const string Experiment = "00000000-0000-7000-9000-00000000000A", Run = "00000000-0000-7000-8000-00000000000B";
        string[] old =
        [
            $"INSERT INTO experiments (\"Id\", \"Name\", \"Description\", \"CreatedAt\") VALUES ('{Experiment}', 'old', '', 0)",
            $"INSERT INTO runs (\"Id\", \"ExperimentId\", \"Name\", \"State\", \"CreatedBy\", \"StartedAt\") VALUES ('{Run}', '{Experiment}', 'old', 'Running', 'ada', 4711)",
            .. new[] { "params", "run_tags" }.Select(table => $"INSERT INTO {table} (\"RunId\", \"Key\", \"Value\", \"Head\") VALUES ('{Run}', 'lr', '0.1', '0.1')"),
        ];
        foreach (var statement in old)
            await db.Database.ExecuteSqlRawAsync(statement);
        await db.Database.MigrateAsync();
        var (parameter, tag) = (await db.Params.SingleAsync(), await db.RunTags.SingleAsync());
        Assert.Equal((new Guid(Experiment), 4711L), (parameter.ExperimentId, parameter.StartedAt.ToUnixTimeMilliseconds()));
        Assert.Equal((new Guid(Experiment), 4711L), (tag.ExperimentId, tag.StartedAt.ToUnixTimeMilliseconds()));
    }

    [Fact]
    public async Task Providers_HaveTheSameMigrations()
    {
        await using var one = await TestDatabase.CreateWithoutSchemaAsync(provider);
        await using var other = await TestDatabase.CreateWithoutSchemaAsync(DatabaseProvider.Sqlite);
        await using var here = one.Open();
        await using var there = other.Open();
        Assert.Equal(there.Database.GetMigrations().Select(Name), here.Database.GetMigrations().Select(Name));

        static string Name(string migration) => migration[(migration.IndexOf('_', StringComparison.Ordinal) + 1)..];
    }
}

public sealed class MigrationsOnSqlite() : MigrationTests(DatabaseProvider.Sqlite);

public sealed class MigrationsOnPostgres() : MigrationTests(DatabaseProvider.Postgres);
