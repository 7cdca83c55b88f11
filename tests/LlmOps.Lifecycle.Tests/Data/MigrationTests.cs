using LlmOps.Lifecycle.Data;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

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
