using LlmOps.Engines.Inference;
using LlmOps.Engines.Inference.Batching;
using LlmOps.Engines.Retrieval;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Messaging;

namespace LlmOps.Web.Serving;

/// <summary>
/// The models and indexes that answer requests, opened from the artifact store at the first request. When traffic moves, what no
/// revision uses any more is closed.
/// </summary>
public sealed class ServedModels : IDisposable
{
    private readonly LiveChanges changes;
    private readonly ReadServing serving;
    private readonly ILogger<ServedModels> log;

    public ServedModels(ArtifactStore artifacts, LiveChanges changes, ReadServing serving, IConfiguration configuration, ILogger<ServedModels> log)
    {
        (this.changes, this.serving, this.log) = (changes, serving, log);
        var settings = new SessionSettings(Threads: Between(configuration, "Serving:Threads", 0, 0, 256));
        var batch = new BatchSettings(Rows: Between(configuration, "Serving:BatchRows", 8, 1, 256), PromptChunk: Between(configuration, "Serving:PromptChunk", 128, 1, 65536)) { TogetherWhateverIsRounded = configuration.GetValue("Serving:BatchDynamicInt8", false) };
        MostWaiting = Between(configuration, "Serving:Waiting", 64, 0, 100_000);
        Models = new(async (digest, ct) => BatchedGenerator.Load(await artifacts.FolderAsync(digest, ct), settings, batch))
        {
            MostModels = Between(configuration, "Serving:Models", 3, 1, 100),
            MostBytes = (long)Between(configuration, "Serving:MemoryMb", HalfOfMemoryMb, 16, 1 << 24) << 20,
            Measure = model => model.MemoryBytes,
        };
        Encoders = new(async (digest, ct) => EncoderEmbedder.Load(await artifacts.FolderAsync(digest, ct), settings)) { MostModels = Between(configuration, "Serving:Models", 3, 1, 100) };
        Indexes = new(async (digest, ct) => HybridIndex.Open(await artifacts.FolderAsync(digest, ct))) { MostModels = Between(configuration, "Serving:Indexes", 4, 1, 100) };
        changes.Changed += OnChanged;
    }

    public ModelResidency<BatchedGenerator> Models { get; }

    /// <summary>Requests that may wait for room in one model's batch; one more is sent away at once.</summary>
    public int MostWaiting { get; }

    public ModelResidency<EncoderEmbedder> Encoders { get; }
    public ModelResidency<OpenIndex> Indexes { get; }

    public void Dispose()
    {
        changes.Changed -= OnChanged;
        Models.Dispose();
        Encoders.Dispose();
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
            Encoders.Keep(used);
            Indexes.Keep(used);
        }
        catch (Exception e)
        {
            log.LogWarning("Unused models stay open until the next change: {Message}", e.Message);
        }
    }

    // What the container is allowed, where there is one.
    private static int HalfOfMemoryMb => (int)Math.Clamp(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes >> 21, 16, 1 << 24);

    public static int Between(IConfiguration configuration, string key, int otherwise, int least, int most) => configuration.GetValue(key, otherwise) is var value && value >= least && value <= most
        ? value
        : throw new InvalidOperationException($"{key} is {value}; set {key.Replace(":", "__", StringComparison.Ordinal)} to {least} … {most}.");
}
