using LlmOps.Engines.Benchmarking;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Worker;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

// The probe measures a model in a fresh process; that process is this executable again.
if (Probe.TryMain(args))
    return 0;

var builder = Host.CreateApplicationBuilder(args);
builder.Services.AddLifecycle(builder.Configuration);
builder.Services.AddWorker(builder.Configuration);
builder.Services.AddTelemetry(builder.Configuration, "llmops-worker");
using var host = builder.Build();
// On a server the web process upgrades the schema; a worker that comes first does it just as well, the migration lock lets one through.
await DatabaseSetup.MigrateAsync(host.Services.GetRequiredService<IDbContextFactory<LlmOpsDb>>());
await host.RunAsync();
return 0;
