using System.CommandLine;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Pipelines;

namespace LlmOps.Cli;

internal static class CheckCommand
{
    public static Command Create()
    {
        var file = new Argument<string>("file") { Description = "Pipeline in YAML." };
        var command = new Command("check", "Checks a pipeline and lists every problem with its path in the document.") { file };
        command.SetAction(async (parsed, ct) =>
        {
            var path = parsed.GetValue(file)!;
            if (!File.Exists(path))
                throw LlmOpsException.Invalid($"The file '{path}' does not exist.");
            var document = PipelineDocument.Parse(await File.ReadAllTextAsync(path, ct));
            Output.Say(parsed, new { document.Name, Stages = document.Stages.Count }, $"{document.Name}: {document.Stages.Count} stages, nothing to complain about.");
            return 0;
        });
        return command;
    }
}
