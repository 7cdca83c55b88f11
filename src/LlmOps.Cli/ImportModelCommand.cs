using System.CommandLine;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Quickstart;
using LlmOps.Lifecycle.Registry;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Cli;

internal static class ImportModelCommand
{
    public static Command Create()
    {
        var folder = new Argument<string>("folder") { Description = "Hugging Face folder: config.json, safetensors (one file or shards) and tokenizer." };
        var name = new Option<string>("--name") { Description = "Registered model that gets the new version.", Required = true };
        var licence = new Option<string>("--licence") { Description = "Licence of the weights.", DefaultValueFactory = _ => "unknown" };
        var description = new Option<string>("--description") { Description = "What it is and where it comes from.", DefaultValueFactory = _ => "" };
        var data = new Option<string?>("--data-folder") { Description = "Data folder; the default is in your home." };
        var command = new Command("import-model", "Checks a Hugging Face checkpoint whole and registers it as a version.") { folder, name, licence, description, data };
        command.SetAction(async (parsed, ct) =>
        {
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
            var people = await host.Services.GetRequiredService<QuickstartSetup>().EnsureAdministratorAsync(ct);
            var actor = (await host.Services.GetRequiredService<ManagePeople>().FindActorAsync(people.Administrator.Id, ct))!;
            var version = await host.Services.GetRequiredService<ImportModel>().ImportAsync(parsed.GetValue(name)!, Path.GetFullPath(parsed.GetValue(folder)!),
                parsed.GetValue(licence)!, parsed.GetValue(description)!, actor, ct);
            Output.Say(parsed, new { Version = version.Key().ToString(), version.Parameters, version.SizeBytes }, $"{version.Key()}: {version.Parameters:N0} parameters, {version.SizeBytes:N0} bytes.");
            return 0;
        });
        return command;
    }
}
