using System.CommandLine;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Quickstart;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>Evaluation suites from a terminal or a CI job.</summary>
internal static class SuiteCommands
{
    public static IEnumerable<Command> Create() => [Suite(), Evaluate()];

    private static Command Suite()
    {
        var data = new Option<string?>("--data-folder") { Description = "Data folder; the default is in your home." };
        var yaml = new Argument<string>("file") { Description = "Suite in YAML." };
        var save = new Command("save", "Saves a suite as a new version; the same content again is the version that is there.") { yaml, data };
        save.SetAction(async (parsed, ct) => await SaveAsync(parsed, Text(parsed.GetValue(yaml)!), parsed.GetValue(data), ct));

        var file = new Argument<string>("file") { Description = "Task file of lm-evaluation-harness, configuration of promptfoo, or rows as JSONL." };
        var name = new Option<string>("--name") { Description = "Name of the suite.", Required = true };
        var format = new Option<string?>("--format") { Description = $"{string.Join(", ", ImportSuite.Formats)}; told from the content when left out." };
        var dataset = new Option<string?>("--dataset") { Description = "Dataset version (name/number) with the rows of an lm-evaluation-harness task." };
        var rows = new Option<string?>("--rows") { Description = "Or a JSONL file with them." };
        var judge = new Option<string?>("--judge") { Description = "Judge version (name/number) that grades the llm-rubric assertions of promptfoo." };
        var least = new Option<double?>("--at-least") { Description = "The score from which a rubric counts as met." };
        var print = new Option<bool>("--print") { Description = "Print the suite's YAML instead of saving it." };
        var import = new Command("import", "Turns a file of another tool into a suite. What cannot be measured the same way is refused by name.") { file, name, format, dataset, rows, judge, least, print, data };
        import.SetAction(async (parsed, ct) =>
        {
            var document = ImportSuite.Read(parsed.GetValue(name)!, Text(parsed.GetValue(file)!), parsed.GetValue(format), parsed.GetValue(dataset), parsed.GetValue(rows) is { } path ? Text(path) : null,
                parsed.GetValue(judge) is { } key ? new(key, parsed.GetValue(least)) : null);
            if (!parsed.GetValue(print))
                return await SaveAsync(parsed, SuiteYaml.Write(document), parsed.GetValue(data), ct);
            Console.Write(SuiteYaml.Write(document));
            return 0;
        });
        return new Command("suite", "Evaluation suites.") { save, import };
    }

    private static Command Evaluate()
    {
        var suite = new Option<string>("--suite") { Description = "Suite version, name/number.", Required = true };
        var version = new Option<string>("--version") { Description = "Model version, name/number.", Required = true };
        var variants = new Option<string[]>("--variants") { Description = "Variants, \"all\", or \"checkpoint\".", AllowMultipleArgumentsPerToken = true, DefaultValueFactory = _ => ["all"] };
        var repeats = new Option<int>("--repeats") { Description = "How often; the differences between repeats are the suite's noise floor.", DefaultValueFactory = _ => 1 };
        var json = Output.Json;
        var data = new Option<string?>("--data-folder") { Description = "Data folder; the default is in your home." };
        var command = new Command("eval", "Runs a suite on variants of a version. A run of the same suite that was interrupted goes on with the rows it lacks.") { suite, version, variants, repeats, data };
        command.SetAction(async (parsed, ct) =>
        {
            var parameters = new EvaluateSuiteParameters { Suite = parsed.GetValue(suite)!, Version = parsed.GetValue(version)!, Variants = parsed.GetValue(variants)!, Repeats = parsed.GetValue(repeats) };
            using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: true, ct);
            var dbs = host.Services.GetRequiredService<IDbContextFactory<LlmOpsDb>>();
            await using var db = await dbs.CreateDbContextAsync(ct);
            // What is not over yet is the same question, asked before somebody pulled the plug.
            var open = await db.Jobs.AsNoTracking().Where(j => j.Kind == "evaluate-suite" && j.StageRunId == null && (j.State == JobState.Queued || j.State == JobState.Running)).ToListAsync(ct);
            var same = open.FirstOrDefault(j => Json.Read<StageSpec>(j.SpecJson).ParametersJson == Json.Write(parameters));
            var id = same?.Id ?? await host.Services.GetRequiredService<StartSuiteRun>().StartAsync(parameters, await ActorAsync(host.Services, ct), ct);
            await host.StartAsync(ct);
            var job = await WaitAsync(db, id, parsed.GetValue(json), ct);
            await host.StopAsync(CancellationToken.None);
            if (job.State != JobState.Succeeded)
                throw LlmOpsException.Invalid($"The evaluation ended as {job.State}: {job.Error}");
            await PrintAsync(host.Services, db, id, parsed.GetValue(json), ct);
            if (!parsed.GetValue(json))
                await PrintJudgesAsync(host.Services.GetRequiredService<ReadJudgements>(), db, id, ct);
            if (!parsed.GetValue(json) && parameters.Repeats > 1)
                await PrintNoiseAsync(host.Services.GetRequiredService<ReadNoise>(), db, id, ct);
            return 0;
        });
        return command;
    }

    /// <summary>A score of a judge is never printed without saying how far the judge is to be trusted.</summary>
    private static async Task PrintJudgesAsync(ReadJudgements read, LlmOpsDb db, Guid job, CancellationToken ct)
    {
        foreach (var run in await db.EvaluationRuns.Where(r => r.JobId == job).OrderBy(r => r.VariantName).ThenBy(r => r.Repeat).Select(r => new { r.Id, r.VariantName }).ToListAsync(ct))
            foreach (var statement in await read.OfRunAsync(run.Id, ct))
                Console.WriteLine($"{run.VariantName}, {statement.Task}: {statement.Words}");
    }

    internal static async Task<Job> WaitAsync(LlmOpsDb db, Guid id, bool quiet, CancellationToken ct)
    {
        var said = "";
        while (true)
        {
            var job = await db.Jobs.AsNoTracking().SingleAsync(j => j.Id == id, ct);
            if (!quiet && job.ProgressText is { } text && text != said)
                AnsiConsole.MarkupLineInterpolated($"[grey]{said = text}[/]");
            if (job.IsOver)
                return job;
            await Task.Delay(250, ct);
        }
    }

    private static async Task PrintAsync(IServiceProvider services, LlmOpsDb db, Guid job, bool json, CancellationToken ct)
    {
        var judgements = services.GetRequiredService<ReadJudgements>();
        var read = services.GetRequiredService<ReadEvaluations>();
        var ids = await db.EvaluationRuns.Where(r => r.JobId == job).OrderBy(r => r.VariantName).ThenBy(r => r.Repeat).Select(r => r.Id).ToListAsync(ct);
        var missing = await db.RowScores.Where(r => ids.Contains(r.EvaluationRunId) && r.State == RowState.Missing).GroupBy(r => r.EvaluationRunId).Select(g => new { g.Key, Count = g.Select(r => r.RowKey).Distinct().Count() }).ToDictionaryAsync(g => g.Key, g => g.Count, ct);
        var details = new List<EvaluationDetail>();
        var judges = new Dictionary<Guid, IReadOnlyList<JudgeStatement>>();
        foreach (var id in ids)
        {
            details.Add(await read.GetAsync(id, ct));
            judges[id] = await judgements.OfRunAsync(id, ct);
        }
        var rows = details.Select(d => d.Row).ToList();
        if (json)
        {
            Console.WriteLine(Json.Write(details.Select(d => new { Run = d.Row, Missing = missing.GetValueOrDefault(d.Row.Id), d.Facts.Machines, d.Facts.Findings, d.Facts.Indexes, Judges = judges[d.Row.Id] })));
            return;
        }
        var table = new Table().Border(TableBorder.Rounded).AddColumns("Variant", "Metric", "Value", "95 % interval", "n", "missing rows");
        foreach (var row in rows)
            foreach (var m in row.Metrics)
                table.AddRow(row.Variant.EscapeMarkup(), m.Name.EscapeMarkup(), FormattableString.Invariant($"{m.Value:0.0000}"), FormattableString.Invariant($"{m.Low:0.0000} – {m.High:0.0000}"), FormattableString.Invariant($"{m.N}"), FormattableString.Invariant($"{missing.GetValueOrDefault(row.Id)}"));
        AnsiConsole.Write(table);
        foreach (var (task, machines) in details.SelectMany(d => d.Facts.Machines).DistinctBy(m => $"{m.Key} {string.Join(';', m.Value)}"))
            AnsiConsole.MarkupLineInterpolated($"{task} was measured on {string.Join(" and ", machines)}.");
        foreach (var line in details.SelectMany(d => d.Facts.Findings.Select(f => $"{d.Row.Variant}: the detectors of {f.Key} found {(f.Value.Count == 0 ? "nothing" : string.Join(", ", f.Value.Select(v => FormattableString.Invariant($"{v.Key} × {v.Value}"))))}.")).Distinct())
            AnsiConsole.MarkupLineInterpolated($"{line}");
    }

    private static async Task PrintNoiseAsync(ReadNoise read, LlmOpsDb db, Guid job, CancellationToken ct)
    {
        var table = new Table().Border(TableBorder.Rounded).Title("Noise floor: two single runs of one model differ by less in 95 of 100 cases").AddColumns("Variant", "Metric", "Mean of the repeats", "95 % interval", "sd", "Noise floor", "rows that moved");
        var still = new List<string>();
        foreach (var run in await db.EvaluationRuns.Where(r => r.JobId == job && r.Repeat == 0).OrderBy(r => r.VariantName).Select(r => r.Id).ToListAsync(ct))
            if (await read.OfRunAsync(run, ct) is { } noise)
            {
                still.AddRange(noise.Metrics.Where(m => m.Floor == 0).Select(m => m.Name));
                foreach (var m in noise.Metrics.Where(m => m.Floor > 0))
                    table.AddRow(noise.Variant.EscapeMarkup(), m.Name.EscapeMarkup(), FormattableString.Invariant($"{m.Mean:0.0000}"), FormattableString.Invariant($"{m.Low:0.0000} – {m.High:0.0000}"), FormattableString.Invariant($"{m.Sd:0.0000}"),
                        FormattableString.Invariant($"{m.Floor:0.0000} {m.Unit}").EscapeMarkup(), FormattableString.Invariant($"{m.FlippedShare:0.0 %}"));
            }
        if (table.Rows.Count > 0)
            AnsiConsole.Write(table);
        if (still.Distinct().ToList() is { Count: > 0 } same)
            AnsiConsole.MarkupLineInterpolated($"The same in all repeats: {string.Join(", ", same)}.");
    }

    private static async Task<int> SaveAsync(ParseResult parsed, string yaml, string? data, CancellationToken ct)
    {
        using var host = await LocalHost.BuildAsync(data, worker: false, ct);
        var saved = await host.Services.GetRequiredService<SaveSuite>().SaveAsync(yaml, await ActorAsync(host.Services, ct), ct);
        Output.Say(parsed, new { saved.Key, saved.IsNew }, $"{saved.Key}{(saved.IsNew ? "" : ", which has this content already")}");
        return 0;
    }

    internal static async Task<Actor> ActorAsync(IServiceProvider services, CancellationToken ct)
    {
        var people = await services.GetRequiredService<QuickstartSetup>().EnsureAdministratorAsync(ct);
        return (await services.GetRequiredService<ManagePeople>().FindActorAsync(people.Administrator.Id, ct))!;
    }

    private static string Text(string path) => File.Exists(path) ? File.ReadAllText(path) : throw LlmOpsException.Invalid($"The file '{path}' does not exist.");
}
