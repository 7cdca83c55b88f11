using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Quickstart;
using LlmOps.Worker;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Hosting;

public static class FirstStart
{
    /// <summary>
    /// Upgrades the schema, makes the first administrator and defines the shipped pipelines before the first request; says on the
    /// console where the product answers and how to get in.
    /// </summary>
    public static async Task PrepareAsync(this WebApplication app, bool quickstart)
    {
        var services = app.Services;
        services.GetRequiredService<Lifecycle.Promotion.Attestations.AttestationKeys>().EnsureUsable();
        await DatabaseSetup.MigrateAsync(services.GetRequiredService<IDbContextFactory<LlmOpsDb>>());
        var setup = services.GetRequiredService<QuickstartSetup>();
        var people = quickstart ? await setup.EnsurePeopleAsync() : await setup.EnsureAdministratorAsync();
        await DefineShippedAsync(services);
        // Quickstart:Pipeline names another shipped pipeline; an empty value makes the people and starts nothing.
        if (quickstart && (app.Configuration["Quickstart:Pipeline"] ?? "quickstart") is { Length: > 0 } pipeline)
        {
            var administrator = await services.GetRequiredService<ManagePeople>().FindActorAsync(people.Administrator.Id)
                ?? throw new InvalidOperationException($"The account '{QuickstartSetup.AdministratorName}' is disabled, so it cannot start the quickstart. Start without --quickstart and enable it under Settings.");
            var (yaml, folder) = Shipped(services).SingleOrDefault(p => p.Folder == pipeline);
            if (yaml is null)
                throw new InvalidOperationException($"Quickstart:Pipeline is '{pipeline}', which is not shipped. Set Quickstart__Pipeline to one of: {string.Join(", ", Shipped(services).Select(p => p.Folder))}.");
            await setup.EnsureStartedAsync(yaml, folder, administrator);
        }
        app.Lifetime.ApplicationStarted.Register(() => Announce(app, people));
    }

    /// <summary>Only what is not there yet: a pipeline that somebody changed stays as it is.</summary>
    private static async Task DefineShippedAsync(IServiceProvider services)
    {
        var known = await services.GetRequiredService<ReadPipelines>().NamesAsync();
        foreach (var (yaml, folder) in Shipped(services))
            if (!known.Contains(PipelineDocument.Parse(yaml).Name))
                await services.GetRequiredService<StartPipeline>().DefineAsync(yaml, folder, Actor.System);
    }

    private static IEnumerable<(string Yaml, string Folder)> Shipped(IServiceProvider services)
    {
        var root = services.GetRequiredService<PipelineFolders>().Root;
        if (!Directory.Exists(root))
            return [];
        return Directory.GetDirectories(root).Select(Path.GetFileName).Order(StringComparer.Ordinal)
            .Where(name => File.Exists(Path.Combine(root, name!, name + ".yaml")))
            .Select(name => (File.ReadAllText(Path.Combine(root, name!, name + ".yaml")), name!));
    }

    private static void Announce(WebApplication app, FirstPeople people)
    {
        var address = app.Urls.FirstOrDefault()?.Replace("//0.0.0.0", "//localhost", StringComparison.Ordinal).Replace("//[::]", "//localhost", StringComparison.Ordinal).TrimEnd('/') ?? WebSetup.DefaultAddress;
        Console.WriteLine();
        Console.WriteLine($"LlmOps answers at {address}");
        if (people.SetupToken is { } token)
            Console.WriteLine($"Choose the password of '{people.Administrator.UserName}' here, once, within a day: {address}/account/setup?token={token}");
        if (people.ReleasePassword is { } password)
            Console.WriteLine($"The second person, who approves: user name '{people.ReleaseManager!.UserName}', password {password} (shown only now)");
        Console.WriteLine();
    }
}
