using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Evaluation.Contamination;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Lifecycle.Sweeps;
using LlmOps.Lifecycle.Tests.Sweeps;
using LlmOps.Lifecycle.Planning;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Promotion.Attestations;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Tests.Evaluation;
using LlmOps.Lifecycle.Tests.Pipelines;
using LlmOps.Lifecycle.Tests.Tracking;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Tracing.Drift;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Webhooks;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Audit;

/// <param name="Method">What it calls, "type.method".</param>
/// <param name="Entry">"action subject" of the audit entry it leaves.</param>
/// <param name="By">Who does it.</param>
/// <param name="Arrange">Makes the situation and returns the act.</param>
/// <param name="NeedsARole">False where any person, or nobody in particular, may do it.</param>
internal sealed record UseCase(string Method, string Entry, Func<TestProduct, Actor> By, Func<TestProduct, Task<Func<Actor, Task>>> Arrange, bool NeedsARole = true);

/// <summary>Everything that people can change.</summary>
internal static class UseCases
{
    private static readonly Func<TestProduct, Actor> Alice = p => p.Alice, Rosa = p => p.Rosa, Ada = p => p.Ada;

    private const string Policy = "name: release\nthresholds:\n  - metric: preference.accuracy\n    at_least: 0.5\n";

    private const string AJudge = "name: critic\nkind: openai\nendpoint: http://127.0.0.1:9/v1\nmodel: any\ncriteria: usefulness\n";

    public static IReadOnlyDictionary<string, UseCase> All { get; } = new Dictionary<string, UseCase>
    {
        ["import a checkpoint"] = new("ImportModel.ImportAsync", "create model-version", Alice, p =>
        {
            var folder = Path.Combine(p.Folder, "checkpoint");
            TinyModels.WriteLlama(folder);
            return Act(a => p.Get<ImportModel>().ImportAsync("imported", folder, "MIT", "", a));
        }),
        ["import a checkpoint from a zip file"] = new("ImportModel.ImportZipAsync", "create model-version", Alice, p =>
        {
            var folder = Path.Combine(p.Folder, "zipped");
            TinyModels.WriteLlama(folder);
            System.IO.Compression.ZipFile.CreateFromDirectory(folder, folder + ".zip");
            return Act(async a =>
            {
                await using var zip = File.OpenRead(folder + ".zip");
                await p.Get<ImportModel>().ImportZipAsync("imported", zip, "MIT", "", a);
            });
        }),
        ["save a suite"] = new("SaveSuite.SaveAsync", "save suite-version", Alice, p => Act(a => p.Get<SaveSuite>().SaveAsync(SuiteTests.Facts, a))),
        ["check contamination"] = new("StartContaminationCheck.StartAsync", "start contamination-check", Alice, async p =>
        {
            await p.DatasetAsync("animals", DatasetKind.Preference, TestProduct.PreferenceRows(40));
            return a => p.Get<StartContaminationCheck>().StartAsync(new() { Dataset = "animals/1" }, a);
        }),
        ["save a judge"] = new("SaveJudge.SaveAsync", "save judge", Alice, p => Act(a => p.Get<SaveJudge>().SaveAsync(AJudge, a))),
        ["calibrate a judge"] = new("StartCalibration.StartAsync", "start judge-calibration", Alice, async p =>
        {
            await p.DatasetAsync("labels", DatasetKind.Preference, TestProduct.PreferenceRows(20));
            await p.Get<SaveJudge>().SaveAsync(AJudge, p.Alice);
            return a => p.Get<StartCalibration>().StartAsync(new() { Judge = "critic/1", Preferences = "labels/1" }, a);
        }),
        ["start a suite"] = new("StartSuiteRun.StartAsync", "start suite-run", Alice, async p =>
        {
            var version = await p.VersionAsync();
            await p.Get<SaveSuite>().SaveAsync(SuiteTests.Facts, p.Alice);
            return a => p.Get<StartSuiteRun>().StartAsync(new() { Version = version.Key().ToString(), Suite = "facts/1", Variants = ["checkpoint"] }, a);
        }),
        ["retry missing rows"] = new("StartSuiteRun.RetryMissingAsync", "retry-missing evaluation-run", Alice, async p =>
        {
            var run = await SuiteTests.RunWithMissingRowAsync(p);
            return a => p.Get<StartSuiteRun>().RetryMissingAsync(run, a);
        }),
        ["measure this machine"] = new("MeasureMachine.MeasureAsync", "measure machine", Alice, p => Act(a => p.Get<MeasureMachine>().MeasureAsync(a))),
        ["define a pipeline"] = new("StartPipeline.DefineAsync", "define pipeline", Alice, p => Act(a => p.Get<StartPipeline>().DefineAsync(PipelineRunTests.Diamond, "", a))),
        ["start a pipeline"] = new("StartPipeline.StartAsync", "start pipeline-run", Alice, async p =>
        {
            await p.Get<StartPipeline>().DefineAsync(PipelineRunTests.Diamond, "", p.Alice);
            return a => p.Get<StartPipeline>().StartAsync("diamond", a);
        }),
        ["cancel a run"] = new("ControlPipeline.CancelAsync", "cancel pipeline-run", Alice, async p =>
        {
            var run = await PipelineDriver.StartAsync(p, PipelineRunTests.Diamond);
            return a => p.Get<ControlPipeline>().CancelAsync(run.RunId, a);
        }),
        ["re-run a stage"] = new("ControlPipeline.RerunFromAsync", "re-run-from pipeline-run", Alice, async p =>
        {
            var run = await FailedAsync(p);
            return a => p.Get<ControlPipeline>().RerunFromAsync(run.RunId, "data", a);
        }),
        ["resume a run"] = new("ControlPipeline.ResumeAsync", "resume pipeline-run", Alice, async p =>
        {
            var run = await FailedAsync(p);
            return a => p.Get<ControlPipeline>().ResumeAsync(run.RunId, a);
        }),
        ["mark a stage as succeeded"] = new("ControlPipeline.MarkSucceededAsync", "mark-succeeded pipeline-run", Alice, async p =>
        {
            var run = await FailedAsync(p);
            return a => p.Get<ControlPipeline>().MarkSucceededAsync(run.RunId, "data", new() { ["corpus"] = "facts/1" }, a);
        }),
        ["cancel a job"] = new("CancelJobUseCase.CancelAsync", "cancel job", Alice, async p =>
        {
            var job = await p.QueueAsync();
            return a => p.Get<CancelJobUseCase>().CancelAsync(job.Id, a);
        }),
        ["start a sweep"] = new("StartSweep.StartAsync", "start sweep", Alice, async p =>
        {
            await p.Get<StartPipeline>().DefineAsync(SweepDocumentTests.Pipeline, "", p.Alice);
            return a => p.Get<StartSweep>().StartAsync(SweepDocumentTests.Sweep(), a);
        }),
        ["stop a sweep"] = new("StopSweep.StopAsync", "stop sweep", Alice, async p =>
        {
            var sweep = await SweepRunTests.StartAsync(p, SweepDocumentTests.Sweep());
            return a => p.Get<StopSweep>().StopAsync(sweep.Name, a);
        }),
        ["pause a training"] = new("ControlTraining.PauseAsync", "pause run", Alice, async p =>
        {
            var (_, _, run) = await TrainingControlTests.TrainingAsync(p);
            return a => p.Get<ControlTraining>().PauseAsync(run, a);
        }),
        ["resume a training"] = new("ControlTraining.ResumeAsync", "resume run", Alice, async p =>
        {
            var (_, _, run) = await TrainingControlTests.TrainingAsync(p);
            await p.Get<ControlTraining>().PauseAsync(run, p.Alice);
            return a => p.Get<ControlTraining>().ResumeAsync(run, a);
        }),
        ["end a training and keep it"] = new("ControlTraining.StopAndKeepAsync", "stop-and-keep run", Alice, async p =>
        {
            var (_, _, run) = await TrainingControlTests.TrainingAsync(p);
            return a => p.Get<ControlTraining>().StopAndKeepAsync(run, a);
        }),
        ["continue from a checkpoint"] = new("StartFromCheckpoint.StartAsync", "continue-from-checkpoint pipeline-run", Alice, async p =>
        {
            var (_, _, run) = await TrainingControlTests.TrainingAsync(p);
            var checkpoint = new RunCheckpoint { RunId = run, Step = 5, Digest = new string('a', 64) };
            await p.WriteAsync(db => db.RunCheckpoints.Add(checkpoint));
            return a => p.Get<StartFromCheckpoint>().StartAsync(checkpoint.Id, new Dictionary<string, string>(), a);
        }),
        ["create a schedule"] = new("ManageSchedules.CreateAsync", "create schedule", Alice, async p =>
        {
            await p.Get<StartPipeline>().DefineAsync(PipelineRunTests.Diamond, "", p.Alice);
            return a => p.Get<ManageSchedules>().CreateAsync("nightly", "diamond", "0 3 * * *", "UTC", a);
        }),
        ["disable a schedule"] = new("ManageSchedules.EnableAsync", "disable schedule", Alice, async p =>
        {
            var schedule = await ScheduleAsync(p);
            return a => p.Get<ManageSchedules>().EnableAsync(schedule.Id, false, a);
        }),
        ["delete a schedule"] = new("ManageSchedules.DeleteAsync", "delete schedule", Alice, async p =>
        {
            var schedule = await ScheduleAsync(p);
            return a => p.Get<ManageSchedules>().DeleteAsync(schedule.Id, a);
        }),
        ["run a schedule now"] = new("FireSchedules.RunNowAsync", "start pipeline-run", Alice, async p =>
        {
            var schedule = await ScheduleAsync(p);
            return a => p.Get<FireSchedules>().RunNowAsync(schedule.Id, a);
        }),
        ["create a webhook"] = new("ManageWebhooks.CreateAsync", "create webhook", Ada, p => Act(a => HookAsync(p, a))),
        ["change a webhook"] = new("ManageWebhooks.ChangeAsync", "change webhook", Ada, async p =>
        {
            var hook = await HookAsync(p, p.Ada);
            return a => p.Get<ManageWebhooks>().ChangeAsync(hook.Id, new WebhookChange(Enabled: false), a);
        }),
        ["rotate a webhook's secret"] = new("ManageWebhooks.RotateSecretAsync", "rotate-secret webhook", Ada, async p =>
        {
            var hook = await HookAsync(p, p.Ada);
            return a => p.Get<ManageWebhooks>().RotateSecretAsync(hook.Id, null, null, a);
        }),
        ["delete a webhook"] = new("ManageWebhooks.DeleteAsync", "delete webhook", Ada, async p =>
        {
            var hook = await HookAsync(p, p.Ada);
            return a => p.Get<ManageWebhooks>().DeleteAsync(hook.Id, a);
        }),
        ["test a webhook"] = new("TestWebhook.TestAsync", "test webhook", Ada, async p =>
        {
            var hook = await HookAsync(p, p.Ada);
            return a => p.Get<TestWebhook>().TestAsync(hook.Id, null, a);
        }),
        ["replay a delivery"] = new("ReplayDelivery.ReplayAsync", "replay webhook", Ada, async p =>
        {
            var delivery = await FailedDeliveryAsync(p);
            return a => p.Get<ReplayDelivery>().ReplayAsync(delivery.Id, a);
        }),
        ["replay what failed"] = new("ReplayDelivery.ReplayFailedAsync", "replay webhook", Ada, async p =>
        {
            var delivery = await FailedDeliveryAsync(p);
            return a => p.Get<ReplayDelivery>().ReplayFailedAsync(delivery.EndpointId, DateTimeOffset.UnixEpoch, a);
        }),
        ["create an alert rule"] = new("ManageAlertRules.CreateAsync", "create alert-rule", Alice, p => Act(a => RuleAsync(p, a))),
        ["disable an alert rule"] = new("ManageAlertRules.EnableAsync", "disable alert-rule", Alice, async p =>
        {
            var rule = await RuleAsync(p, p.Alice);
            return a => p.Get<ManageAlertRules>().EnableAsync(rule.Id, false, a);
        }),
        ["change an alert rule"] = new("ManageAlertRules.ChangeAsync", "change alert-rule", Alice, async p =>
        {
            var rule = await RuleAsync(p, p.Alice);
            return a => p.Get<ManageAlertRules>().ChangeAsync(rule.Id, new NewAlertRule("nights", AlertConditions.Missed, [new AlertChannel(NotificationChannels.Page)]), a);
        }),
        ["test an alert rule"] = new("ManageAlertRules.TestAsync", "test alert-rule", Alice, async p =>
        {
            var rule = await RuleAsync(p, p.Alice);
            return a => p.Get<ManageAlertRules>().TestAsync(rule.Id, a);
        }),
        ["delete an alert rule"] = new("ManageAlertRules.DeleteAsync", "delete alert-rule", Alice, async p =>
        {
            var rule = await RuleAsync(p, p.Alice);
            return a => p.Get<ManageAlertRules>().DeleteAsync(rule.Id, a);
        }),
        ["acknowledge an incident"] = new("HandleIncident.AcknowledgeAsync", "acknowledge incident", Rosa, async p =>
        {
            var incident = await IncidentAsync(p);
            return a => p.Get<HandleIncident>().AcknowledgeAsync(incident.Id, a);
        }),
        ["resolve an incident"] = new("HandleIncident.ResolveAsync", "resolve incident", Alice, async p =>
        {
            var incident = await IncidentAsync(p);
            return a => p.Get<HandleIncident>().ResolveAsync(incident.Id, "Rolled back.", a);
        }),
        ["import a dataset"] = new("ImportDataset.ImportAsync", "import dataset-version", Alice, p => Act(a => p.DatasetAsync("pairs", DatasetKind.Preference, TestProduct.PreferenceRows(4), actor: a))),
        ["annotate"] = new("Annotate.AnswerAsync", "annotate dataset-row", Alice, async p =>
        {
            var pairs = await p.DatasetAsync("pairs", DatasetKind.Preference, TestProduct.PreferenceRows(20));
            return a => p.Get<Annotate>().AnswerAsync(pairs.Id, "train", 0, "chosen", a);
        }),
        ["undo an annotation"] = new("Annotate.UndoAsync", "undo-annotation dataset-row", Alice, async p =>
        {
            var pairs = await p.DatasetAsync("pairs", DatasetKind.Preference, TestProduct.PreferenceRows(20));
            await p.Get<Annotate>().AnswerAsync(pairs.Id, "train", 0, "chosen", p.Alice);
            return a => p.Get<Annotate>().UndoAsync(pairs.Id, "train", 0, a);
        }),
        ["describe a model"] = new("DescribeModel.DescribeAsync", "describe model", Alice, async p =>
        {
            await p.VersionAsync();
            return a => p.Get<DescribeModel>().DescribeAsync("tiny-lm", "Defines words.", a);
        }),
        ["save a gate policy"] = new("SavePolicy.SaveAsync", "save gate-policy", Alice, p => Act(a => p.Get<SavePolicy>().SaveAsync(Policy, a))),
        ["judge a version"] = new("JudgeVersion.DecideAsync", "judge model-version", Alice, async p =>
        {
            await p.Get<SavePolicy>().SaveAsync(Policy, p.Alice);
            await p.EvaluationAsync((await p.VersionAsync("tiny-lm", "int8")).Id, "int8", new Dictionary<string, double[]> { ["preference"] = [0, 1, 1] });
            return a => p.Get<JudgeVersion>().DecideAsync(new("tiny-lm/1", "quickstart", Policy: "release"), a);
        }),
        ["ask for a promotion"] = new("RequestPromotion.RequestAsync", "request-promotion approval", Alice, async p =>
        {
            var version = await p.VersionAsync("tiny-lm", "int8");
            return a => p.RequestAsync(version, "int8", actor: a);
        }),
        ["approve"] = new("DecideApproval.ApproveAsync", "approve approval", Rosa, async p =>
        {
            var request = await p.RequestAsync(await p.VersionAsync("tiny-lm", "int8"), "int8");
            return a => p.Get<DecideApproval>().ApproveAsync(request.Id, "", a);
        }),
        ["reject"] = new("DecideApproval.RejectAsync", "reject approval", Rosa, async p =>
        {
            var request = await p.RequestAsync(await p.VersionAsync("tiny-lm", "int8"), "int8");
            return a => p.Get<DecideApproval>().RejectAsync(request.Id, "Too slow.", a);
        }),
        ["ask for a rollback"] = new("RequestRollback.RequestAsync", "request-promotion approval", Rosa, async p =>
        {
            await p.PromoteAsync(await p.VersionAsync("tiny-lm", "int8"), "int8");
            await p.PromoteAsync(await p.VersionAsync("tiny-lm", "int8"), "int8");
            return a => p.Get<RequestRollback>().RequestAsync("tiny-lm", "production", null, a);
        }),
        ["withdraw a request"] = new("WithdrawApproval.WithdrawAsync", "withdraw approval", Alice, async p =>
        {
            var request = await p.RequestAsync(await p.VersionAsync("tiny-lm", "int8"), "int8");
            return a => p.Get<WithdrawApproval>().WithdrawAsync(request.Id, "Not yet.", a);
        }),
        ["comment on a request"] = new("CommentOnApproval.CommentAsync", "comment approval", Alice, async p =>
        {
            var request = await p.RequestAsync(await p.VersionAsync("tiny-lm", "int8"), "int8");
            return a => p.Get<CommentOnApproval>().CommentAsync(request.Id, "Please look at the slices.", a);
        }),
        ["delegate"] = new("ManageDelegations.CreateAsync", "delegate delegation", Rosa, async p =>
        {
            await p.Get<ManagePeople>().CreateAsync("dora", "Dora", null, [Roles.Engineer], p.Ada);
            return a => p.Get<ManageDelegations>().CreateAsync("dora", p.Clock.GetUtcNow(), p.Clock.GetUtcNow().AddDays(3), "holiday", a);
        }),
        ["revoke a delegation"] = new("ManageDelegations.RevokeAsync", "revoke delegation", Rosa, async p =>
        {
            await p.Get<ManagePeople>().CreateAsync("dora", "Dora", null, [Roles.Engineer], p.Ada);
            var made = await p.Get<ManageDelegations>().CreateAsync("dora", p.Clock.GetUtcNow(), p.Clock.GetUtcNow().AddDays(3), "holiday", p.Rosa);
            return a => p.Get<ManageDelegations>().RevokeAsync(made.Id, a);
        }),
        ["define environments"] = new("DefineEnvironments.DefineAsync", "define-environments model", Ada, async p =>
        {
            await p.VersionAsync();
            return a => p.Get<DefineEnvironments>().DefineAsync("tiny-lm", [ModelEnvironment.Plain("production") with { RequiredApprovals = 2 }], a);
        }),
        ["deploy"] = new("Deploy.DeployAsync", "deploy deployment", Rosa, async p =>
        {
            await p.PromoteAsync(await p.VersionAsync("tiny-lm", "int8"), "int8");
            return a => p.Get<Deploy>().DeployAsync("chat", DeploymentKind.Chat, "tiny-lm/1", "int8", null, a);
        }),
        ["shift traffic"] = new("ShiftTraffic.ShiftAsync", "shift-traffic deployment", Rosa, async p =>
        {
            await DeployTwiceAsync(p);
            return a => p.Get<ShiftTraffic>().ShiftAsync("chat", new Dictionary<int, int> { [1] = 50, [2] = 50 }, a);
        }),
        ["roll back"] = new("ShiftTraffic.RollbackAsync", "shift-traffic deployment", Rosa, async p =>
        {
            await DeployTwiceAsync(p);
            return a => p.Get<ShiftTraffic>().RollbackAsync("chat", a);
        }),
        ["start a canary"] = new("StartCanary.StartAsync", "start-canary deployment", Rosa, async p =>
        {
            await DeployTwiceAsync(p);
            return a => p.Get<StartCanary>().StartAsync("chat", "tiny-lm/1", "int8", null, 10, new(), a);
        }),
        ["copy requests to a shadow"] = new("ShadowTraffic.SetAsync", "shadow deployment", Rosa, async p =>
        {
            await DeployTwiceAsync(p);
            return a => p.Get<ShadowTraffic>().SetAsync("chat", 1, 20, a);
        }),
        ["watch for drift"] = new("SetDriftWatch.SetAsync", "watch-drift deployment", Rosa, async p =>
        {
            await DeployTwiceAsync(p);
            return a => p.Get<SetDriftWatch>().SetAsync("chat", new(), true, a);
        }),
        ["look for drift"] = new("WatchDrift.LookAsync", "check-drift deployment", Rosa, async p =>
        {
            await DeployTwiceAsync(p);
            return a => p.Get<WatchDrift>().LookAsync("chat", a);
        }),
        ["give feedback"] = new("GiveFeedback.GiveAsync", "feedback trace", Alice, async p =>
        {
            await p.Get<IngestSpans>().IngestAsync([new Span { SpanId = "1", TraceId = "t", Name = "chat", Kind = "chat", StartedAt = p.Clock.GetUtcNow() }]);
            return a => p.Get<GiveFeedback>().GiveAsync("t", 1, null, a);
        }),
        ["assess a trace"] = new("AssessTrace.CreateAsync", "assess trace", Alice, async p =>
        {
            await TraceAsync(p);
            return a => p.Get<AssessTrace>().CreateAsync(AnAssessment, a);
        }),
        ["change an assessment"] = new("AssessTrace.ChangeAsync", "change-assessment trace", Alice, async p =>
        {
            await TraceAsync(p);
            var made = await p.Get<AssessTrace>().CreateAsync(AnAssessment, p.Alice);
            return a => p.Get<AssessTrace>().ChangeAsync(ATrace, made.Id, new(Rationale: "again"), a);
        }),
        ["delete an assessment"] = new("AssessTrace.DeleteAsync", "delete-assessment trace", Alice, async p =>
        {
            await TraceAsync(p);
            var made = await p.Get<AssessTrace>().CreateAsync(AnAssessment, p.Alice);
            return a => p.Get<AssessTrace>().DeleteAsync(ATrace, made.Id, a);
        }),
        ["delete traces"] = new("DeleteTraces.ByIdAsync", "delete-traces experiment", Alice, async p =>
        {
            await TraceAsync(p);
            return a => p.Get<DeleteTraces>().ByIdAsync(TrackingKeys.DefaultExperimentId, [ATrace], a);
        }),
        ["delete old traces of an experiment"] = new("DeleteTraces.UntilAsync", "delete-traces experiment", Alice, async p =>
        {
            await TraceAsync(p);
            return a => p.Get<DeleteTraces>().UntilAsync(TrackingKeys.DefaultExperimentId, p.Clock.GetUtcNow(), null, a);
        }),
        ["create an evaluation dataset"] = new("KeepEvaluationDataset.CreateAsync", "create evaluation-dataset", Alice, p => Act(a => QuestionsAsync(p, a))),
        ["delete an evaluation dataset"] = new("KeepEvaluationDataset.DeleteAsync", "delete evaluation-dataset", Alice, p => WithQuestionsAsync(p, (id, a) => p.Get<KeepEvaluationDataset>().DeleteAsync(id, a))),
        ["tag an evaluation dataset"] = new("KeepEvaluationDataset.TagAsync", "tag evaluation-dataset", Alice, p => WithQuestionsAsync(p, (id, a) => p.Get<KeepEvaluationDataset>().TagAsync(id, new Dictionary<string, string?> { ["k"] = "v" }, a))),
        ["fill an evaluation dataset"] = new("KeepEvaluationDataset.UpsertAsync", "upsert-records evaluation-dataset", Alice, p => WithQuestionsAsync(p, (id, a) => p.Get<KeepEvaluationDataset>().UpsertAsync(id, EvaluationRows.Parse("""[{"inputs":{"q":"?"}}]"""), null, a))),
        ["delete records of an evaluation dataset"] = new("KeepEvaluationDataset.DeleteRecordsAsync", "delete-records evaluation-dataset", Alice, p => WithQuestionsAsync(p, (id, a) => p.Get<KeepEvaluationDataset>().DeleteRecordsAsync(id, [], a))),
        ["add experiments to an evaluation dataset"] = new("KeepEvaluationDataset.AddExperimentsAsync", "add-experiments evaluation-dataset", Alice, async p =>
        {
            // It is there before anything is logged into it, and no entry says so.
            await using (var db = await p.Get<IDbContextFactory<LlmOpsDb>>().CreateDbContextAsync())
                await CreateExperiment.EnsureDefaultAsync(db, DateTimeOffset.UnixEpoch, default);
            return await WithQuestionsAsync(p, (id, a) => p.Get<KeepEvaluationDataset>().AddExperimentsAsync(id, [TrackingKeys.DefaultExperimentId], a));
        }),
        ["remove experiments from an evaluation dataset"] = new("KeepEvaluationDataset.RemoveExperimentsAsync", "remove-experiments evaluation-dataset", Alice, p => WithQuestionsAsync(p, (id, a) => p.Get<KeepEvaluationDataset>().RemoveExperimentsAsync(id, [TrackingKeys.DefaultExperimentId], a))),
        ["set a price"] = new("SetPrices.SetAsync", "set model-price", Ada, p => Act(a => p.Get<SetPrices>().SetAsync(new("gpt*", 1, 2), a))),
        ["delete a price"] = new("SetPrices.DeleteAsync", "delete model-price", Ada, async p =>
        {
            await p.Get<SetPrices>().SetAsync(new("gpt*", 1, 2), p.Ada);
            return a => p.Get<SetPrices>().DeleteAsync("gpt*", a);
        }),
        ["add traces to a dataset"] = new("AddTracesToDataset.AddAsync", "import dataset-version", Alice, async p =>
        {
            await p.Get<IngestSpans>().IngestAsync([new Span { SpanId = "1", TraceId = "t", Name = "chat", Kind = "chat", Input = "Hi", Output = "Hello", StartedAt = p.Clock.GetUtcNow() }]);
            return a => p.Get<AddTracesToDataset>().AddAsync(["t"], "asked", DatasetKind.Instruction, a);
        }),
        ["rotate the signing key"] = new("RotateSigningKey.RotateAsync", "rotate signing-key", Ada, p => Act(a => p.Get<RotateSigningKey>().RotateAsync(a))),
        ["create a person"] = new("ManagePeople.CreateAsync", "create person", Ada, p => Act(a => p.Get<ManagePeople>().CreateAsync("eve", "Eve", null, [Roles.Viewer], a))),
        ["change a person"] = new("ManagePeople.ChangeAsync", "change person", Ada, async p =>
        {
            var eve = await p.Get<ManagePeople>().CreateAsync("eve", "Eve", null, [Roles.Viewer], p.Ada);
            return a => p.Get<ManagePeople>().ChangeAsync(eve.Id, [Roles.Engineer], false, a);
        }),
        ["make a set-up link"] = new("ManagePeople.CreateSetupTokenAsync", "create setup-link", Ada, async p =>
        {
            var eve = await p.Get<ManagePeople>().CreateAsync("eve", "Eve", null, [Roles.Viewer], p.Ada);
            return a => p.Get<ManagePeople>().CreateSetupTokenAsync(eve.Id, a);
        }),
        ["use a set-up link"] = new("ManagePeople.UseSetupTokenAsync", "set-password person", Ada, async p =>
        {
            var eve = await p.Get<ManagePeople>().CreateAsync("eve", "Eve", null, [Roles.Viewer], p.Ada);
            var token = await p.Get<ManagePeople>().CreateSetupTokenAsync(eve.Id, p.Ada);
            return _ => p.Get<ManagePeople>().UseSetupTokenAsync(token, "correct horse battery");
        }, NeedsARole: false),
        ["create an experiment"] = new("CreateExperiment.CreateAsync", "create experiment", Alice, p => Act(a => p.Get<CreateExperiment>().CreateAsync("logged", null, [], a))),
        ["rename an experiment"] = new("ChangeExperiment.RenameAsync", "rename experiment", Alice, async p =>
        {
            var id = await p.Get<CreateExperiment>().CreateAsync("logged", null, [], p.Alice);
            return a => p.Get<ChangeExperiment>().RenameAsync(id, "renamed", a);
        }),
        ["delete an experiment"] = new("ChangeExperiment.DeleteAsync", "delete experiment", Alice, async p =>
        {
            var id = await p.Get<CreateExperiment>().CreateAsync("logged", null, [], p.Alice);
            return a => p.Get<ChangeExperiment>().DeleteAsync(id, a);
        }),
        ["restore an experiment"] = new("ChangeExperiment.RestoreAsync", "restore experiment", Alice, async p =>
        {
            var id = await p.Get<CreateExperiment>().CreateAsync("logged", null, [], p.Alice);
            await p.Get<ChangeExperiment>().DeleteAsync(id, p.Alice);
            return a => p.Get<ChangeExperiment>().RestoreAsync(id, a);
        }),
        ["delete a logged run"] = new("ChangeRun.DeleteAsync", "delete run", Alice, async p =>
        {
            var id = await LoggedRunAsync(p);
            return a => p.Get<ChangeRun>().DeleteAsync(id, a);
        }),
        ["restore a logged run"] = new("ChangeRun.RestoreAsync", "restore run", Alice, async p =>
        {
            var id = await LoggedRunAsync(p);
            await p.Get<ChangeRun>().DeleteAsync(id, p.Alice);
            return a => p.Get<ChangeRun>().RestoreAsync(id, a);
        }),
        ["register a model"] = new("RegisterModel.CreateAsync", "create model", Alice, p => Act(a => p.Get<RegisterModel>().CreateAsync("Iris Model", "", [], a))),
        ["rename a registered model"] = Registered("ChangeModel.RenameAsync", "rename model", (p, a) => p.Get<ChangeModel>().RenameAsync("Iris", "Iris 2", a)),
        ["describe a registered model"] = Registered("ChangeModel.DescribeAsync", "describe model", (p, a) => p.Get<ChangeModel>().DescribeAsync("Iris", "Tells flowers apart.", a)),
        ["tag a registered model"] = Registered("ChangeModel.TagAsync", "tag model", (p, a) => p.Get<ChangeModel>().TagAsync("Iris", "team", "core", a)),
        ["untag a registered model"] = Registered("ChangeModel.UntagAsync", "untag model", (p, a) => p.Get<ChangeModel>().UntagAsync("Iris", "kept", a)),
        ["delete a registered model"] = Registered("ChangeModel.DeleteAsync", "delete model", (p, a) => p.Get<ChangeModel>().DeleteAsync("Iris", a)),
        ["register a version"] = Registered("RegisterVersion.RegisterAsync", "create model-version", (p, a) => p.Get<RegisterVersion>().RegisterAsync(new("Iris", "s3://bucket/2", null, null, null, null, null, []), a)),
        ["describe a registered version"] = Registered("ChangeVersion.DescribeAsync", "describe model-version", (p, a) => p.Get<ChangeVersion>().DescribeAsync("Iris", 1, "The first.", a)),
        ["tag a registered version"] = Registered("ChangeVersion.TagAsync", "tag model-version", (p, a) => p.Get<ChangeVersion>().TagAsync("Iris", 1, "team", "core", a)),
        ["untag a registered version"] = Registered("ChangeVersion.UntagAsync", "untag model-version", (p, a) => p.Get<ChangeVersion>().UntagAsync("Iris", 1, "kept", a)),
        ["delete a registered version"] = Registered("ChangeVersion.DeleteAsync", "delete model-version", (p, a) => p.Get<ChangeVersion>().DeleteAsync("Iris", 1, a)),
        ["point an alias"] = Registered("PointAlias.SetAsync", "move-alias model", (p, a) => p.Get<PointAlias>().SetAsync("Iris", "champion", 1, a)),
        ["ask for a guarded alias"] = Registered("PointAlias.SetAsync", "request-promotion approval", (p, a) => p.Get<PointAlias>().SetAsync("Iris", "production", 1, a)),
        ["remove an alias"] = Registered("PointAlias.RemoveAsync", "remove-alias model", (p, a) => p.Get<PointAlias>().RemoveAsync("Iris", "kept", a)),
        ["set a stage"] = Registered("PointAlias.SetStageAsync", "set-stage model-version", (p, a) => p.Get<PointAlias>().SetStageAsync("Iris", 1, "Archived", false, a)),
        ["create a token"] = new("ManageTokens.CreateAsync", "create api-token", Alice, p => Act(a => p.Get<ManageTokens>().CreateAsync("ci", [Permission.Read], null, a))),
        ["revoke a token"] = new("ManageTokens.RevokeAsync", "revoke api-token", Alice, async p =>
        {
            var made = await p.Get<ManageTokens>().CreateAsync("ci", [Permission.Read], null, p.Alice);
            return a => p.Get<ManageTokens>().RevokeAsync(made.Token.Id, a);
        }),
        ["limit a token"] = new("ManageTokens.LimitAsync", "limit api-token", Alice, async p =>
        {
            var made = await p.Get<ManageTokens>().CreateAsync("ci", [Permission.Read], null, p.Alice);
            return a => p.Get<ManageTokens>().LimitAsync(made.Token.Id, new(RequestsPerMinute: 10), a);
        }),
    };

    private static async Task<Guid> LoggedRunAsync(TestProduct product)
    {
        var experiment = await product.Get<CreateExperiment>().CreateAsync("logged", null, [], product.Alice);
        return (await product.Get<StartRun>().StartAsync(new(experiment, null, "alice", null, []))).Id;
    }

    /// <summary>A model "Iris" with a version that a client registered, both with a tag, and an alias that nobody guards.</summary>
    private static UseCase Registered(string method, string entry, Func<TestProduct, Actor, Task> act) => new(method, entry, Alice, async p =>
    {
        await p.Get<RegisterModel>().CreateAsync("Iris", "", [new("kept", "1")], p.Alice);
        await p.Get<RegisterVersion>().RegisterAsync(new("Iris", "s3://bucket/1", null, null, null, null, null, [new("kept", "1")]), p.Alice);
        await p.Get<PointAlias>().SetAsync("Iris", "kept", 1, p.Alice);
        return a => act(p, a);
    });

    private static Task<Func<Actor, Task>> Act(Func<Actor, Task> act) => Task.FromResult(act);

    private const string ATrace = "0000000000000000000000000000000a";

    private static NewAssessment AnAssessment => new(ATrace, null, "correct", Assessment.Feedback, new("true", "true", null), null, null, "HUMAN", "ada", null, new Dictionary<string, string>());

    private static Task TraceAsync(TestProduct product) => product.Get<IngestSpans>().IngestAsync([new Span { SpanId = "000000000000000a", TraceId = ATrace, Name = "chat", Kind = "chat", StartedAt = product.Clock.GetUtcNow() }]);

    private static Task<Guid> QuestionsAsync(TestProduct product, Actor actor) => product.Get<KeepEvaluationDataset>().CreateAsync(new("questions", [], null, null, null, null, new Dictionary<string, string>()), actor);

    private static async Task<Func<Actor, Task>> WithQuestionsAsync(TestProduct product, Func<Guid, Actor, Task> act)
    {
        var id = await QuestionsAsync(product, product.Alice);
        return a => act(id, a);
    }

    private static async Task<PipelineDriver> FailedAsync(TestProduct product)
    {
        var run = await PipelineDriver.StartAsync(product, PipelineRunTests.Diamond);
        await run.FailAsync("data");
        return run;
    }

    private static async Task<Schedule> ScheduleAsync(TestProduct product)
    {
        await product.Get<StartPipeline>().DefineAsync(PipelineRunTests.Diamond, "", product.Alice);
        return await product.Get<ManageSchedules>().CreateAsync("nightly", "diamond", "0 3 * * *", "UTC", product.Alice);
    }

    /// <summary>Its address is refused when it is called, which needs no network.</summary>
    private static Task<WebhookWithSecret> HookAsync(TestProduct product, Actor actor) =>
        product.Get<ManageWebhooks>().CreateAsync(new NewWebhook("ci", "http://localhost:9/", ["*"]), actor);

    private static async Task<WebhookDelivery> FailedDeliveryAsync(TestProduct product)
    {
        var hook = await HookAsync(product, product.Ada);
        var delivery = new WebhookDelivery { EndpointId = hook.Id, Type = WebhookEvents.JobFailed, Subject = "data", DataJson = "{}", State = DeliveryState.Failed, Attempts = 10, Tried = 10, CreatedAt = product.Clock.GetUtcNow() };
        await product.WriteAsync(db => db.WebhookDeliveries.Add(delivery));
        return delivery;
    }

    private static Task<AlertRule> RuleAsync(TestProduct product, Actor actor) =>
        product.Get<ManageAlertRules>().CreateAsync(new NewAlertRule("nights", AlertConditions.Fail, [new AlertChannel(NotificationChannels.Page)]), actor);

    private static async Task<Incident> IncidentAsync(TestProduct product)
    {
        var incident = new Incident { Title = "It regressed", DetailJson = """{"schedule":"nightly","candidate":"tiny-lm/1 int8","reasons":[],"rows":[],"rows_worse":0,"firings":[]}""", OpenedAt = product.Clock.GetUtcNow() };
        await product.WriteAsync(db => db.Incidents.Add(incident));
        return incident;
    }

    private static async Task DeployTwiceAsync(TestProduct product)
    {
        await product.PromoteAsync(await product.VersionAsync("tiny-lm", "int8"), "int8");
        for (var i = 0; i < 2; i++)
            await product.Get<Deploy>().DeployAsync("chat", DeploymentKind.Chat, "tiny-lm/1", "int8", null, product.Rosa);
    }
}
