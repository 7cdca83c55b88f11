using System.CommandLine;
using System.Globalization;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation.Contamination;
using Microsoft.Extensions.DependencyInjection;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>The contamination check for a CI job: 0 clean, 1 contaminated, 2 cannot tell.</summary>
internal static class ContaminationCommand
{
    public static Command Create()
    {
        var run = new Option<Guid?>("--run") { Description = "Evaluation run whose rows are looked for." };
        var dataset = new Option<string?>("--dataset") { Description = "Or a dataset version, name/number: its held-out rows." };
        var suite = new Option<string?>("--suite") { Description = "Or a suite version, name/number: the rows of its tasks." };
        var version = new Option<string?>("--version") { Description = "With a dataset or a suite: the model version whose training data, ancestors included, is looked through; without it, all that any version was trained on." };
        var most = new Option<int>("--most") { Description = "How many of the rows that were found are printed.", DefaultValueFactory = _ => 20 };
        var json = Output.Json;
        var data = new Option<string?>("--data-folder") { Description = "Data folder; the default is in your home." };
        var command = new Command("contamination", "Looks for evaluation rows in the training data of a model and its ancestors. Exit code 0: clean, 1: contaminated, 2: cannot tell.") { run, dataset, suite, version, most, data };
        command.SetAction(async (parsed, ct) =>
        {
            var question = new ContaminationQuestion(parsed.GetValue(dataset), parsed.GetValue(suite), parsed.GetValue(version));
            if (parsed.GetValue(run) is not null && question != new ContaminationQuestion())
                throw LlmOpsException.Invalid("A run has a version and rows of its own: name only the run.");
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
            var check = host.Services.GetRequiredService<CheckContamination>();
            ContaminationStatement statement;
            try
            {
                statement = parsed.GetValue(run) is { } id ? await check.OfRunAsync(id, ct: ct) : await check.OfQuestionAsync(question, ct: ct);
            }
            catch (LlmOpsException e)
            {
                // 1 would tell a CI job that rows were found.
                AnsiConsole.MarkupLineInterpolated($"[red]{e.Code.WireName()}[/] {e.Message}");
                return 2;
            }
            if (parsed.GetValue(json))
                Console.WriteLine(Json.Write(statement));
            else
                Print(statement, parsed.GetValue(most));
            return statement.Verdict switch { ContaminationVerdict.Clean => 0, ContaminationVerdict.Contaminated => 1, _ => 2 };
        });
        return command;
    }

    private static void Print(ContaminationStatement statement, int most)
    {
        var colour = statement.Verdict switch { ContaminationVerdict.Clean => "green", ContaminationVerdict.Contaminated => "red", _ => "yellow" };
        AnsiConsole.MarkupLineInterpolated($"[{colour}]{statement.Verdict}[/] {statement.Words}");
        var pairs = new Table().Border(TableBorder.Rounded).AddColumns("Measured on", "Learned", "Rows", "Learned rows", "Word by word", "Nearly");
        foreach (var pair in statement.Pairs)
            pairs.AddRow(pair.Evaluation.EscapeMarkup(), pair.Training.EscapeMarkup(), pair.ReportId is null ? "not compared" : Count(pair.Rows), Count(pair.TrainingRows), Count(pair.ExactRows), Count(pair.NearRows));
        if (statement.Pairs.Count > 0)
            AnsiConsole.Write(pairs);
        var worst = statement.Found.OrderByDescending(f => f.Row.Kind).ThenByDescending(f => f.Row.Similarity).ToList();
        foreach (var found in worst.Take(most))
        {
            AnsiConsole.MarkupLineInterpolated($"[bold]{found.Evaluation}[/] row {found.Row.Row}, [bold]{found.Training}[/] row {found.Row.TrainingRow}: {found.Row.Kind}, {found.Row.Similarity.ToString("0.000", CultureInfo.InvariantCulture)}");
            AnsiConsole.MarkupLineInterpolated($"  measured: {found.Row.Text.ReplaceLineEndings(" ")}");
            AnsiConsole.MarkupLineInterpolated($"  learned:  {found.Row.TrainingText.ReplaceLineEndings(" ")}");
        }
        if (worst.Count > most)
            AnsiConsole.MarkupLineInterpolated($"… and {Count(worst.Count - most)} more: --most prints more of them, --json all.");
    }

    private static string Count(long n) => n.ToString("N0", CultureInfo.InvariantCulture);
}
