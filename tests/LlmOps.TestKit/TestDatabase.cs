using LlmOps.Lifecycle.Data;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace LlmOps.TestKit;

public enum DatabaseProvider { Sqlite, Postgres }

/// <summary>
/// A fresh, empty database with the schema that the real migrations make. They run once for each provider and process; every database
/// after that is a copy of the result.
/// </summary>
public sealed class TestDatabase : IAsyncDisposable
{
    private static readonly Lazy<Task<string>> SqliteTemplate = new(MakeSqliteTemplateAsync);
    private static readonly Lazy<Task<string>> PostgresTemplate = new(MakePostgresTemplateAsync);
    private static readonly SemaphoreSlim Copying = new(1);

    private TestDatabase(DatabaseProvider provider, string connectionString) => (Provider, ConnectionString) = (provider, connectionString);

    public DatabaseProvider Provider { get; }
    public string ConnectionString { get; }

    /// <summary>The settings with which the product opens this database.</summary>
    public Dictionary<string, string?> Settings => new() { ["Database:Provider"] = Provider.ToString(), ["ConnectionStrings:Database"] = ConnectionString };

    public static async Task<TestDatabase> CreateAsync(DatabaseProvider provider)
    {
        if (provider == DatabaseProvider.Sqlite)
        {
            var file = Path.Combine(Directory.CreateTempSubdirectory("llmops-test-db-").FullName, "test.db");
            File.Copy(await SqliteTemplate.Value, file);
            return new(provider, $"Data Source={file}");
        }
        var server = await PostgresCluster.ConnectionStringAsync();
        var template = await PostgresTemplate.Value;
        var name = $"test_{Guid.NewGuid():N}";
        await Copying.WaitAsync();      // PostgreSQL copies a template for one session at a time
        try
        {
            // Copying files takes a fifth of the time of the default, which writes every page through the log.
            await ExecuteAsync(server, $"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY");
        }
        finally
        {
            Copying.Release();
        }
        return new(provider, new NpgsqlConnectionStringBuilder(server) { Database = name }.ToString());
    }

    /// <summary>An empty database without a schema: for tests of the migrations themselves.</summary>
    public static async Task<TestDatabase> CreateWithoutSchemaAsync(DatabaseProvider provider)
    {
        if (provider == DatabaseProvider.Sqlite)
            return new(provider, $"Data Source={Path.Combine(Directory.CreateTempSubdirectory("llmops-test-db-").FullName, "test.db")}");
        var server = await PostgresCluster.ConnectionStringAsync();
        var name = $"bare_{Guid.NewGuid():N}";
        await ExecuteAsync(server, $"CREATE DATABASE {name}");
        return new(provider, new NpgsqlConnectionStringBuilder(server) { Database = name }.ToString());
    }

    public LlmOpsDb Open()
    {
        var options = new DbContextOptionsBuilder<LlmOpsDb>();
        _ = Provider == DatabaseProvider.Sqlite ? DatabaseSetup.UseSqlite(options, ConnectionString) : DatabaseSetup.UsePostgres(options, ConnectionString);
        return new LlmOpsDb(options.Options);
    }

    public async ValueTask DisposeAsync()
    {
        if (Provider == DatabaseProvider.Sqlite)
        {
            await DeleteFolderAsync();
            return;
        }
        NpgsqlConnection.ClearPool(new NpgsqlConnection(ConnectionString));
        await ExecuteAsync(await PostgresCluster.ConnectionStringAsync(), $"DROP DATABASE {new NpgsqlConnectionStringBuilder(ConnectionString).Database} WITH (FORCE)");
    }

    /// <summary>A page that was closed may still be reading, and its connection makes the files beside the database again: tried until nobody does.</summary>
    private async Task DeleteFolderAsync()
    {
        var folder = Path.GetDirectoryName(new SqliteConnectionStringBuilder(ConnectionString).DataSource)!;
        for (var attempt = 1; ; attempt++)
        {
            await using (var db = Open())
                SqliteConnection.ClearPool((SqliteConnection)db.Database.GetDbConnection());
            try
            {
                Directory.Delete(folder, recursive: true);
                return;
            }
            catch (IOException) when (attempt < 50)
            {
                await Task.Delay(100);
            }
        }
    }

    private static async Task<string> MakeSqliteTemplateAsync()
    {
        var database = await CreateWithoutSchemaAsync(DatabaseProvider.Sqlite);
        await using var db = database.Open();
        await DatabaseSetup.MigrateAsync(new OneDatabase(database));
        await db.Database.ExecuteSqlRawAsync("PRAGMA wal_checkpoint(TRUNCATE);");
        SqliteConnection.ClearPool((SqliteConnection)db.Database.GetDbConnection());
        var file = new SqliteConnectionStringBuilder(database.ConnectionString).DataSource;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(Path.GetDirectoryName(file)!, recursive: true);
        return file;
    }

    private static async Task<string> MakePostgresTemplateAsync()
    {
        var database = await CreateWithoutSchemaAsync(DatabaseProvider.Postgres);
        await DatabaseSetup.MigrateAsync(new OneDatabase(database));
        NpgsqlConnection.ClearPool(new NpgsqlConnection(database.ConnectionString));      // a database in use is no template
        return new NpgsqlConnectionStringBuilder(database.ConnectionString).Database!;
    }

    private static async Task ExecuteAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private sealed class OneDatabase(TestDatabase database) : IDbContextFactory<LlmOpsDb>
    {
        public LlmOpsDb CreateDbContext() => database.Open();
    }
}
