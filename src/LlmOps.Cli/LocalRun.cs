using System.Diagnostics;
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

/// <param name="Yaml">The pipeline.</param>
/// <param name="Folder">Folder of its data, below the pipelines root.</param>
/// <param name="Title">What the last line calls it.</param>
/// <param name="Approve">Whether the second local account signs what waits for approval.</param>
/// <param name="Json">Whether only the run at its end is printed, as JSON.</param>
internal sealed record RunPlan(string Yaml, string Folder, string Title, bool Approve, bool Json);

/// <summary>Runs one pipeline in this process and shows its stages until it is over.</summary>
internal static class LocalRun
{
    private const int Waiting = 3;

    public static async Task<int> RunAsync(IHost host, RunPlan plan, CancellationToken interrupted)
    {
        var watch = Stopwatch.StartNew();
        var services = host.Services;
        var people = await services.GetRequiredService<QuickstartSetup>().EnsurePeopleAsync(interrupted);
        var find = services.GetRequiredService<ManagePeople>();
        var requester = (await find.FindActorAsync(people.Administrator.Id, interrupted))!;
        var approver = plan.Approve ? await find.FindActorAsync(people.ReleaseManager!.Id, interrupted) : null;
        await host.StartAsync(interrupted);
        try
        {
            var run = await services.GetRequiredService<QuickstartSetup>().StartOrResumeAsync(plan.Yaml, plan.Folder, requester, interrupted);
            var state = await WatchAsync(services, run, approver, plan.Json, interrupted);
            if (plan.Json)
                return await EndAsync(services, run, interrupted);
            await QuickstartReport.PrintAsync(services, run, interrupted);
            await EffectReport.PrintAsync(services, run, interrupted);
            AnsiConsole.MarkupLineInterpolated($"{plan.Title} {state} in {watch.Elapsed:m\\:ss}.");
            if (state != PipelineState.WaitingForApproval)
                return state == PipelineState.Succeeded ? 0 : 1;
            AnsiConsole.MarkupLine("A second person has to approve. Do it in the browser, or run this again with --approve to let the local account 'release' sign.");
            return Waiting;
        }
        catch (OperationCanceledException) when (interrupted.IsCancellationRequested)
        {
            if (!plan.Json)
                AnsiConsole.MarkupLine("[yellow]Interrupted.[/] Finished stages are kept; run the same command again to go on.");
            return 130;
        }
        finally
        {
            // The running job saves a checkpoint and goes back to the queue before the process ends.
            await host.StopAsync(CancellationToken.None);
        }
    }

    private static async Task<int> EndAsync(IServiceProvider services, Guid id, CancellationToken ct)
    {
        await using var db = await services.GetRequiredService<IDbContextFactory<LlmOpsDb>>().CreateDbContextAsync(ct);
        var run = await db.PipelineRuns.AsNoTracking().Include(r => r.Stages).SingleAsync(r => r.Id == id, ct);
        Console.WriteLine(Lifecycle.Data.Json.Write(new { run.Id, Pipeline = run.Name, run.Number, run.State, Stages = run.Stages.OrderBy(s => s.Ordinal).Select(s => new { s.Name, s.State, s.Error, s.StartedAt, s.EndedAt }) }));
        return run.State switch { PipelineState.Succeeded => 0, PipelineState.WaitingForApproval => Waiting, _ => 1 };
    }

    private static async Task<PipelineState> WatchAsync(IServiceProvider services, Guid runId, Actor? approver, bool json, CancellationToken ct)
    {
        if (json)
            return await FollowAsync(services, runId, approver, new NoStages(), ct);
        if (!AnsiConsole.Profile.Capabilities.Interactive || Console.IsOutputRedirected)
            return await FollowAsync(services, runId, approver, new StageLines(), ct);
        return await AnsiConsole.Progress().AutoClear(false)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new ElapsedTimeColumn())
            .StartAsync(context => FollowAsync(services, runId, approver, new StageBars(context), ct));
    }

    private static async Task<PipelineState> FollowAsync(IServiceProvider services, Guid runId, Actor? approver, IStageDisplay display, CancellationToken ct)
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
            if (run.State == PipelineState.WaitingForApproval && approver is null)
                return run.State;
            if (run.State == PipelineState.WaitingForApproval)
                await ApproveAsync(services, db, run, approver!, ct);
            await Task.Delay(250, ct);
        }
    }

    private static async Task ApproveAsync(IServiceProvider services, LlmOpsDb db, PipelineRun run, Actor approver, CancellationToken ct)
    {
        var stages = run.Stages.Select(s => s.Id).ToList();
        var requests = await db.Approvals.AsNoTracking().Where(a => a.State == ApprovalState.WaitingForApproval && a.StageRunId != null && stages.Contains(a.StageRunId.Value)).ToListAsync(ct);
        foreach (var request in requests)
            await services.GetRequiredService<DecideApproval>().ApproveAsync(request.Id, "Approved by the second local account on the gate's evidence.", approver, ct);
    }
}
