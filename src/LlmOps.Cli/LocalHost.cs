using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Worker;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace LlmOps.Cli;

/// <summary>The product in this process: the same use cases as the server's, with or without the worker.</summary>
internal static class LocalHost
{
    public static async Task<IHost> BuildAsync(string? dataFolder, bool worker, CancellationToken ct, string? pipelinesRoot = null)
    {
        var builder = Host.CreateApplicationBuilder();
        if (dataFolder is not null)
            builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["Data:Folder"] = dataFolder });
        if (pipelinesRoot is not null)
            builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["Pipelines:Root"] = pipelinesRoot });
        // The progress display owns the terminal; what went wrong in a job is in its log and in the stage's error.
        builder.Logging.ClearProviders();
        builder.Services.AddLifecycle(builder.Configuration);
        if (worker)
            builder.Services.AddWorker(builder.Configuration);
        builder.Services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(30));
        var host = builder.Build();
        await DatabaseSetup.MigrateAsync(host.Services.GetRequiredService<IDbContextFactory<LlmOpsDb>>(), ct);
        return host;
    }
}
