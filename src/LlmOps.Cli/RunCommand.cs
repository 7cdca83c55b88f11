using System.CommandLine;
using LlmOps.Lifecycle;

namespace LlmOps.Cli;

/// <summary>Any pipeline in this process, with no server.</summary>
internal static class RunCommand
{
    public static Command Create()
    {
        var file = new Argument<string>("pipeline") { Description = "Pipeline in YAML. Its data may lie in its folder and in the folders beside that." };
        var data = new Option<string?>("--data-folder") { Description = "Folder for the database, artifacts and work; the default is in your home." };
        var approve = new Option<bool>("--approve") { Description = "Let the second local account sign what waits for approval." };
        var command = new Command("run", "Runs a pipeline here, from data to its last stage. Run again after an interruption, it goes on where it stopped.") { file, data, approve };
        command.SetAction(async (parsed, ct) =>
        {
            var path = Path.GetFullPath(parsed.GetValue(file)!);
            if (!File.Exists(path))
                throw LlmOpsException.Invalid($"The file '{parsed.GetValue(file)}' does not exist.");
            var folder = Path.GetDirectoryName(path)!;
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: true, ct, Path.GetDirectoryName(folder) ?? folder);
            return await LocalRun.RunAsync(host, new RunPlan(await File.ReadAllTextAsync(path, ct), Path.GetFileName(folder), Path.GetFileName(path), parsed.GetValue(approve), parsed.GetValue(Output.Json)), ct);
        });
        return command;
    }
}
