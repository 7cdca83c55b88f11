using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking.Journal;
using LlmOps.Lifecycle.Webhooks;
using LlmOps.Web.Api;
using LlmOps.Web.Api.Mlflow;
using LlmOps.Web.Api.OpenAI;
using LlmOps.Web.Api.Otlp;
using LlmOps.Web.Api.V1;
using LlmOps.Web.Components;
using LlmOps.Web.Components.Shared;
using LlmOps.Web.Security;
using LlmOps.Web.Serving;
using LlmOps.Worker;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Scalar.AspNetCore;

namespace LlmOps.Web.Hosting;

public static class WebSetup
{
    public const string DefaultAddress = "http://localhost:5080";

    public static void AddLlmOps(this WebApplicationBuilder builder)
    {
        var (services, configuration) = (builder.Services, builder.Configuration);
        // Found from the build output too, so that `dotnet run` serves scripts and styles in every environment.
        builder.WebHost.UseStaticWebAssets();
        string[] addresses = ["urls", "http_ports", "https_ports"];
        if (addresses.All(key => string.IsNullOrEmpty(configuration[key])) && !configuration.GetSection("Kestrel:Endpoints").Exists())
            builder.WebHost.UseUrls(DefaultAddress);

        builder.WebHost.ConfigureKestrel(kestrel => Patience(kestrel.Limits, TimeSpan.FromSeconds(configuration.GetValue("Web:PatienceSeconds", 15.0))));
        services.AddLifecycle(configuration);
        if (configuration.GetValue("Worker:Embedded", true))
            services.AddWorker(configuration);
        services.TryAddSingleton(PipelineFolders.From(configuration));
        services.AddHostedService<ReplayJournal>();
        services.AddServing();
        services.AddOpenAI();
        services.AddTelemetry(configuration, "llmops");
        services.AddInterface();
        services.AddPeopleAndTokens();
        services.AddDataProtection().SetApplicationName("LlmOps").PersistKeysToFileSystem(KeyFolder(configuration));
        services.AddSingleton(s =>
        {
            var protector = s.GetRequiredService<IDataProtectionProvider>().CreateProtector("LlmOps.Webhooks.v1");
            return new SecretVault(protector.Protect, protector.Unprotect);
        });
        services.AddSingleton<ArtifactGrants>();
        services.AddClock(configuration);
        services.AddHostedService<WebhookSender>();
        services.AddApi();
        services.AddHealthChecks().AddDbContextCheck<LlmOpsDb>("database");
        // A running stage saves its checkpoint and goes back to the queue before the process ends.
        services.Configure<HostOptions>(o => o.ShutdownTimeout = TimeSpan.FromSeconds(30));
    }

    /// <summary>A client that sends a byte now and then must not hold a connection: a head has to come in this time, a body at 240 bytes a second after it.</summary>
    private static void Patience(KestrelServerLimits limits, TimeSpan longest)
    {
        limits.RequestHeadersTimeout = longest;
        limits.MinRequestBodyDataRate = new(bytesPerSecond: 240, gracePeriod: longest);
    }

    /// <summary>Who can read these keys can make sessions: nobody but the account that runs the product.</summary>
    private static DirectoryInfo KeyFolder(IConfiguration configuration)
    {
        var folder = Path.Combine(DataFolder.Of(configuration), "keys");
        return OperatingSystem.IsWindows() ? Directory.CreateDirectory(folder) : Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    public static void UseLlmOps(this WebApplication app)
    {
        app.UseExceptionHandler();
        app.UseSecurityHeaders();
        app.UseStatusCodePagesWithReExecute("/not-found", createScopeForStatusCodePages: true);
        app.UseApiErrors();
        app.UseAuthentication();
        app.UseSameOrigin();
        app.UseAuthorization();
        app.UseAntiforgery();

        app.MapStaticAssets().AllowAnonymous();
        app.MapPages();
        app.MapAccount();
        app.MapClock();
        app.MapHealth();
        app.MapOpenApi();
        app.MapScalarApiReference("/docs/api", o => o.WithTitle("LlmOps API").DisableDefaultFonts().DisableTelemetry().DisableAgent());
        app.MapApiV1();
        app.MapOpenAI();
        app.MapMlflow();
        app.MapOtlp();
        app.MapPrometheus();
    }

    private static void MapPages(this WebApplication app) => app.MapRazorComponents<App>()
        // The header comes from UseSecurityHeaders, for every answer.
        .AddInteractiveServerRenderMode(o => o.ContentSecurityFrameAncestorsPolicy = null)
        .Add(endpoint =>
        {
            // Pages act over the circuit. What they do not take by POST, nobody can forge; and the account's forms have these addresses.
            foreach (var methods in endpoint.Metadata.OfType<HttpMethodMetadata>().ToList())
                endpoint.Metadata.Remove(methods);
            if (endpoint.Metadata.OfType<Microsoft.AspNetCore.Components.Endpoints.ComponentTypeMetadata>().Any())
                endpoint.Metadata.Add(new HttpMethodMetadata([HttpMethods.Get, HttpMethods.Head]));
        });

    private static void MapHealth(this WebApplication app)
    {
        app.MapHealthChecks("/health/live", new() { Predicate = _ => false }).AllowAnonymous();
        app.MapHealthChecks("/health/ready").AllowAnonymous();
    }
}
