using System.CommandLine;
using System.Diagnostics;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Quickstart;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>The whole lifecycle without a browser: the pipeline, the second person's approval, the table of what came out.</summary>
internal static class QuickstartCommand
{
    public static Command Create()
    {
        var data = new Option<string?>("--data-folder") { Description = "Folder for the database, artifacts and work; the default is in your home." };
        var pipeline = new Option<string>("--pipeline") { Description = "A pipeline shipped with the product: quickstart or tiny.", DefaultValueFactory = _ => "quickstart" };
        var command = new Command("quickstart", "Runs the quickstart pipeline from data to deployment. Run again after an interruption, it goes on where it stopped.") { data, pipeline };
        command.SetAction((parsed, ct) => RunAsync(parsed.GetValue(data), parsed.GetValue(pipeline)!, ct));
        return command;
    }

    private static async Task<int> RunAsync(string? dataFolder, string pipeline, CancellationToken interrupted)
    {
        var watch = Stopwatch.StartNew();
        using var host = await LocalHost.BuildAsync(dataFolder, worker: true, interrupted);
        var services = host.Services;
        var yaml = ShippedPipelines.Read(pipeline);
        var people = await services.GetRequiredService<QuickstartSetup>().EnsurePeopleAsync(interrupted);
        var find = services.GetRequiredService<ManagePeople>();
        var requester = (await find.FindActorAsync(people.Administrator.Id, interrupted))!;
        var approver = (await find.FindActorAsync(people.ReleaseManager!.Id, interrupted))!;
        await host.StartAsync(interrupted);
        try
        {
            var run = await services.GetRequiredService<QuickstartSetup>().StartOrResumeAsync(yaml, pipeline, requester, interrupted);
            var state = await WatchAsync(services, run, approver, interrupted);
            await QuickstartReport.PrintAsync(services, run, interrupted);
            AnsiConsole.MarkupLineInterpolated($"{pipeline} {state} in {watch.Elapsed:m\\:ss}.");
            return state == PipelineState.Succeeded ? 0 : 1;
        }
        catch (OperationCanceledException) when (interrupted.IsCancellationRequested)
        {
            AnsiConsole.MarkupLine("[yellow]Interrupted.[/] Finished stages are kept; run the same command again to go on.");
            return 130;
        }
        finally
        {
            // The running job saves a checkpoint and goes back to the queue before the process ends.
            await host.StopAsync(CancellationToken.None);
        }
    }

    private static async Task<PipelineState> WatchAsync(IServiceProvider services, Guid runId, Actor approver, CancellationToken ct)
    {
        if (!AnsiConsole.Profile.Capabilities.Interactive || Console.IsOutputRedirected)
            return await FollowAsync(services, runId, approver, new StageLines(), ct);
        return await AnsiConsole.Progress().AutoClear(false)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
            .StartAsync(context => FollowAsync(services, runId, approver, new StageBars(context), ct));
    }

    private static async Task<PipelineState> FollowAsync(IServiceProvider services, Guid runId, Actor approver, IStageDisplay display, CancellationToken ct)
    {
        var dbs = services.GetRequiredService<IDbContextFactory<LlmOpsDb>>();
        while (true)
        {
            await using var db = await dbs.CreateDbContextAsync(ct);
            var run = await db.PipelineRuns.AsNoTracking().Include(r => r.Stages).SingleAsync(r => r.Id == runId, ct);
            var jobs = await db.Jobs.AsNoTracking().Where(j => j.State == JobState.Running && j.StageRunId != null).ToDictionaryAsync(j => j.StageRunId!.Value, ct);
            foreach (var stage in run.Stages.OrderBy(s => s.Ordinal))
                display.Show(stage, jobs.GetValueOrDefault(stage.Id));
            if (run.IsOver)
                return run.State;
            if (run.State == PipelineState.WaitingForApproval)
                await ApproveAsync(services, db, run, approver, ct);
            await Task.Delay(250, ct);
        }
    }

    private static async Task ApproveAsync(IServiceProvider services, LlmOpsDb db, PipelineRun run, Actor approver, CancellationToken ct)
    {
        var stages = run.Stages.Select(s => s.Id).ToList();
        var requests = await db.Approvals.AsNoTracking().Where(a => a.State == ApprovalState.WaitingForApproval && a.StageRunId != null && stages.Contains(a.StageRunId.Value)).ToListAsync(ct);
        foreach (var request in requests)
            await services.GetRequiredService<DecideApproval>().ApproveAsync(request.Id, "Approved by the quickstart's second account on the gate's evidence.", approver, ct);
    }
}
