using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace LlmOps.TestKit;

/// <summary>The product without any way in, on a database and an artifact store of its own. Hints go nowhere: nothing may depend on one.</summary>
public sealed partial class TestProduct : IAsyncDisposable
{
    private readonly TestDatabase database;
    private readonly ServiceProvider services;

    private TestProduct(TestDatabase database, string folder)
    {
        this.database = database;
        Folder = folder;
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(database.Settings).AddInMemoryCollection(new Dictionary<string, string?> { ["Data:Folder"] = folder }).Build();
        var collection = new ServiceCollection();
        collection.AddLogging();
        collection.AddSingleton<TimeProvider>(Clock);
        collection.AddLifecycle(configuration);
        collection.Replace(ServiceDescriptor.Singleton(new Hints()));
        services = collection.BuildServiceProvider();
    }

    /// <summary>The data folder.</summary>
    public string Folder { get; }
    public TestClock Clock { get; } = new();
    public DatabaseProvider Provider => database.Provider;
    /// <summary>The environment in which a process of the product works on the same records.</summary>
    public Dictionary<string, string> ProcessSettings => database.Settings.ToDictionary(s => s.Key.Replace(":", "__", StringComparison.Ordinal), s => s.Value!).Concat([new("Data__Folder", Folder)]).ToDictionary();
    public IDbContextFactory<LlmOpsDb> Dbs => Get<IDbContextFactory<LlmOpsDb>>();
    public ArtifactStore Artifacts => Get<ArtifactStore>();

    /// <summary>Trains and asks for promotions.</summary>
    public Actor Alice { get; } = Actor.WithRoles(Guid.Parse("00000000-0000-0000-0000-00000000a11c"), "alice", [Roles.Engineer]);
    /// <summary>Decides about them.</summary>
    public Actor Rosa { get; } = Actor.WithRoles(Guid.Parse("00000000-0000-0000-0000-000000000d0a"), "rosa", [Roles.ReleaseManager]);
    /// <summary>May only look.</summary>
    public Actor Victor { get; } = Actor.WithRoles(Guid.Parse("00000000-0000-0000-0000-00000000001c"), "victor", [Roles.Viewer]);
    public Actor Ada { get; } = Actor.WithRoles(Guid.Parse("00000000-0000-0000-0000-000000000ada"), "ada", [Roles.Admin]);

    public static async Task<TestProduct> CreateAsync(DatabaseProvider provider)
    {
        var database = await TestDatabase.CreateAsync(provider);
        return new(database, Directory.CreateTempSubdirectory("llmops-test-").FullName);
    }

    public T Get<T>() where T : notnull => services.GetRequiredService<T>();

    public LlmOpsDb Open() => database.Open();

    /// <summary>Reads with a context of its own, so that a test sees what is stored and not what somebody still holds.</summary>
    public async Task<T> ReadAsync<T>(Func<LlmOpsDb, Task<T>> read)
    {
        await using var db = Open();
        return await read(db);
    }

    public async Task WriteAsync(Action<LlmOpsDb> write)
    {
        await using var db = Open();
        write(db);
        await db.SaveChangesAsync();
    }

    /// <summary>What happened to a subject, oldest first: "action subject".</summary>
    public Task<List<string>> AuditAsync() =>
        ReadAsync(db => db.Audit.OrderBy(a => a.Id).Select(a => a.Action + " " + a.Subject).ToListAsync());

    public async ValueTask DisposeAsync()
    {
        await services.DisposeAsync();
        await database.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }
}
