using System.Globalization;
using System.CommandLine;
using LlmOps.Cli;
using LlmOps.Engines.Benchmarking;
using LlmOps.Lifecycle;
using Spectre.Console;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
// The probe measures a model in a fresh process; that process is this executable again.
if (Probe.TryMain(args))
    return 0;

// A log has no width of its own; the table of variants needs this much.
if (Console.IsOutputRedirected)
    AnsiConsole.Profile.Width = 140;
var root = new RootCommand("LlmOps: the lifecycle of language models, from a terminal or a CI job.")
{
    Output.Json,
    QuickstartCommand.Create(), RunCommand.Create(), ImportCommand.Create(), ImportModelCommand.Create(), CheckCommand.Create(), PlanCommand.Create(), VariantsCommand.Create(),
    GateCommand.Create(),
    JudgeCommands.Create(),
    SweepCommands.Create(),
    ContaminationCommand.Create(),
    AuditCommand.Create(),
    WebhookCommands.Create(),
    DriftCommand.Create(), TraceCommands.Create(),
    VerifyCommand.Create(), AttestCommands.Attest(), AttestCommands.Keys(),
    PromoteCommand.Create(), CompareCommand.Create(), WatchCommand.Create(), DoctorCommand.Create(), CompletionCommand.Create(),
};
foreach (var command in ServerCommands.Create().Concat(SuiteCommands.Create()).Concat(RecordCommands.Create()).Concat(LoginCommands.Create()).Concat(DeployCommands.Create()).Concat(ExportCommands.Create()))
    root.Add(command);
var json = Output.IsJson(args);
try
{
    var parsed = root.Parse(args);
    if (json && parsed.Errors.Count > 0)
    {
        Output.Fail(ErrorCode.InvalidParameterValue, string.Join(" ", parsed.Errors.Select(e => e.Message)), json);
        return 1;
    }
    return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (LlmOpsException e)
{
    Output.Fail(e.Code, e.Message, json);
    return 1;
}
catch (InvalidOperationException e) when (e.Source?.StartsWith("LlmOps", StringComparison.Ordinal) == true || e.Source == "llmops")
{
    // Wrong settings: the message names the key to set.
    Output.Fail(ErrorCode.InvalidParameterValue, e.Message, json);
    return 1;
}
