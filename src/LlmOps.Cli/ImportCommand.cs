using System.CommandLine;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Quickstart;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Cli;

internal static class ImportCommand
{
    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "JSONL (one row in each line), CSV (with a header) or Parquet file; text is UTF-8." };
        var name = new Option<string>("--name") { Description = "Dataset name.", Required = true };
        var kind = new Option<DatasetKind>("--kind") { Description = "Corpus, Instruction, Preference, Unpaired, Image or Table.", Required = true };
        var quarantine = new Option<bool>("--quarantine") { Description = "Set bad rows aside instead of refusing the import." };
        var licence = new Option<string>("--licence") { Description = "Licence of the data.", DefaultValueFactory = _ => "unknown" };
        var data = new Option<string?>("--data-folder") { Description = "Data folder; the default is in your home." };
        var command = new Command("import", "Imports a JSONL, CSV or Parquet file as a new dataset version.") { file, name, kind, quarantine, licence, data };
        command.SetAction(async (parsed, ct) =>
        {
            var path = parsed.GetValue(file)!;
            if (!File.Exists(path))
                throw LlmOpsException.Invalid($"The file '{path}' does not exist.");
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
            var people = await host.Services.GetRequiredService<QuickstartSetup>().EnsureAdministratorAsync(ct);
            var actor = (await host.Services.GetRequiredService<ManagePeople>().FindActorAsync(people.Administrator.Id, ct))!;
            await using var rows = File.OpenRead(path);
            var version = await host.Services.GetRequiredService<ImportDataset>().ImportAsync(parsed.GetValue(name)!, parsed.GetValue(kind), rows,
                parsed.GetValue(quarantine), parsed.GetValue(licence)!, Path.GetFileName(path), actor, ct);
            Output.Say(parsed, new { Dataset = version.KeyText(), version.TrainRows, version.HeldOutRows, version.QuarantinedRows }, $"{version.KeyText()}: {version.TrainRows:N0} train rows, {version.HeldOutRows:N0} held-out rows, {version.QuarantinedRows:N0} set aside.");
            return 0;
        });
        return command;
    }
}
