using LlmOps.Engines.Inference;
using LlmOps.Engines.Retrieval;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Messaging;

namespace LlmOps.Web.Serving;

/// <summary>A model that is loaded, and whose turn it is: it makes one answer at a time.</summary>
public sealed class ServedModel(TextGenerator generator) : IDisposable
{
    public TextGenerator Generator { get; } = generator;

    /// <summary>Callers wait here, where waiting takes no thread, and not inside the generator.</summary>
    public SemaphoreSlim Turn { get; } = new(1, 1);

    public void Dispose()
    {
        Generator.Dispose();
        Turn.Dispose();
    }
}

/// <summary>
/// The models and indexes that answer requests, opened from the artifact store at the first request. When traffic moves, what no
/// revision uses any more is closed.
/// </summary>
public sealed class ServedModels : IDisposable
{
    private readonly LiveChanges changes;
    private readonly ReadServing serving;
    private readonly ILogger<ServedModels> log;

    public ServedModels(ArtifactStore artifacts, LiveChanges changes, ReadServing serving, IConfiguration configuration, TimeProvider time, ILogger<ServedModels> log)
    {
        (this.changes, this.serving, this.log) = (changes, serving, log);
        var settings = new SessionSettings(Threads: Between(configuration, "Serving:Threads", 0, 0, 256));
        Models = new(Between(configuration, "Serving:Models", 3, 1, 100), async (digest, ct) => new(TextGenerator.Load(await artifacts.FolderAsync(digest, ct), settings)), time);
        Indexes = new(Between(configuration, "Serving:Indexes", 4, 1, 100), async (digest, ct) => HybridIndex.Open(await artifacts.FolderAsync(digest, ct)), time);
        changes.Changed += OnChanged;
    }

    public Loaded<ServedModel> Models { get; }
    public Loaded<OpenIndex> Indexes { get; }

    public void Dispose()
    {
        changes.Changed -= OnChanged;
        Models.Dispose();
        Indexes.Dispose();
    }

    private void OnChanged(RowsChanged change)
    {
        if (change.Area == Areas.Deployment)
            _ = Task.Run(CloseUnusedAsync);
    }

    private async Task CloseUnusedAsync()
    {
        try
        {
            var used = await serving.DigestsAsync();
            Models.Keep(used);
            Indexes.Keep(used);
        }
        catch (Exception e)
        {
            log.LogWarning("Unused models stay open until the next change: {Message}", e.Message);
        }
    }

    private static int Between(IConfiguration configuration, string key, int otherwise, int least, int most) => configuration.GetValue(key, otherwise) is var value && value >= least && value <= most
        ? value
        : throw new InvalidOperationException($"{key} is {value}; set {key.Replace(":", "__", StringComparison.Ordinal)} to {least} … {most}.");
}
