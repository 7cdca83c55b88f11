using System.Globalization;
using LlmOps.Engines.Benchmarking;
using LlmOps.Web.Hosting;

// The probe measures a model in a fresh process; that process is this executable again.
if (Probe.TryMain(args))
    return;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
var quickstart = args.Contains("--quickstart");
var builder = WebApplication.CreateBuilder([.. args.Where(a => a != "--quickstart")]);
builder.AddLlmOps();

var app = builder.Build();
app.UseLlmOps();
await app.PrepareAsync(quickstart);
await app.RunAsync();

public partial class Program;
