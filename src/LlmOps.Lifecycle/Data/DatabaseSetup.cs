using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Lifecycle.Data;

public static class DatabaseSetup
{
    public const string SqliteMigrations = "LlmOps.Migrations.Sqlite";
    public const string PostgresMigrations = "LlmOps.Migrations.Postgres";

    public static bool IsPostgres(this IConfiguration configuration) =>
        string.Equals(configuration["Database:Provider"], "Postgres", StringComparison.OrdinalIgnoreCase);

    public static IServiceCollection AddDatabase(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddDbContextFactory<LlmOpsDb>(options => Configure(options, configuration));
        return services;
    }

    public static void Configure(DbContextOptionsBuilder options, IConfiguration configuration)
    {
        var provider = configuration["Database:Provider"] ?? "Sqlite";
        var connection = configuration.GetConnectionString("Database");
        switch (provider.ToLowerInvariant())
        {
            case "sqlite":
                UseSqlite(options, connection ?? $"Data Source={Path.Combine(DataFolder.Of(configuration), "llmops.db")}");
                break;
            case "postgres":
                UsePostgres(options, connection ?? throw new InvalidOperationException(
                    "Database:Provider is Postgres but ConnectionStrings:Database is not set. Set ConnectionStrings__Database, for example 'Host=127.0.0.1;Database=llmops;Username=llmops;Password=…'."));
                break;
            default:
                throw new InvalidOperationException($"Database:Provider is '{provider}'. Allowed values: Sqlite, Postgres.");
        }
    }

    public static DbContextOptionsBuilder UseSqlite(DbContextOptionsBuilder options, string connection)
    {
        // The default timeout is how long a writer waits for another one: SQLite has one writer at a time.
        var builder = new SqliteConnectionStringBuilder(connection) { DefaultTimeout = 30, ForeignKeys = true };
        return options.UseSqlite(builder.ToString(), o => o.MigrationsAssembly(SqliteMigrations))
            // SQLite cannot switch foreign keys off inside a transaction, and changing a column rebuilds its table: the warning says only that, on a person's first start.
            .ConfigureWarnings(w => w.Ignore(RelationalEventId.NonTransactionalMigrationOperationWarning));
    }

    public static DbContextOptionsBuilder UsePostgres(DbContextOptionsBuilder options, string connection) =>
        options.UseNpgsql(connection, o => o.MigrationsAssembly(PostgresMigrations));

    /// <summary>Creates or upgrades the schema. On SQLite also turns on write-ahead logging, so that readers never wait for the writer.</summary>
    public static async Task MigrateAsync(IDbContextFactory<LlmOpsDb> dbs, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        await db.Database.MigrateAsync(ct);
        if (db.Database.IsSqlite())
            await db.Database.ExecuteSqlRawAsync("PRAGMA journal_mode=WAL;", ct);
        await AuditAppend.ChainOldAsync(db, ct);
    }
}
