using System.CommandLine;

namespace LlmOps.Cli;

/// <summary>The whole lifecycle without a browser: the pipeline, the second person's approval, the table of what came out.</summary>
internal static class QuickstartCommand
{
    public static Command Create()
    {
        var data = new Option<string?>("--data-folder") { Description = "Folder for the database, artifacts and work; the default is in your home." };
        var pipeline = new Option<string>("--pipeline") { Description = "A pipeline shipped with the product, for example quickstart, tiny or classifier.", DefaultValueFactory = _ => "quickstart" };
        var command = new Command("quickstart", "Runs the quickstart pipeline from data to deployment. Run again after an interruption, it goes on where it stopped.") { data, pipeline };
        command.SetAction(async (parsed, ct) =>
        {
            var name = parsed.GetValue(pipeline)!;
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: true, ct);
            return await LocalRun.RunAsync(host, new RunPlan(ShippedPipelines.Read(name), name, name, Approve: true, parsed.GetValue(Output.Json)), ct);
        });
        return command;
    }
}
