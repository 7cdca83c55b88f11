using Bunit;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Knowledge;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Lifecycle.Tracing;
using LlmOps.TestKit;
using LlmOps.Web.Tests.Components;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Web.Tests.Pages;

/// <summary>Pages on a product that was used, with the real use cases behind them.</summary>
public abstract class OperationPages : InterfaceContext, IAsyncLifetime
{
    protected TestProduct Product { get; private set; } = null!;
    protected LivedIn Lived { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Product = await TestProduct.CreateAsync(DatabaseProvider.Sqlite);
        Lived = await LivedIn.MakeAsync(Product);
        Services.AddSingleton<TimeProvider>(Product.Clock);
        Services.AddSingleton<IConfiguration>(new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { ["Data:Folder"] = Product.Folder }).Build());
        Use<ReadPipelines>(); Use<ReadPipelineRun>(); Use<ReadSchedules>(); Use<ReadJobs>(); Use<ReadWorkers>(); Use<ReadEvaluations>(); Use<ReadRowScores>(); Use<ReadApprovals>();
        Use<LlmOps.Lifecycle.Evaluation.Contamination.ReadContamination>(); Use<LlmOps.Lifecycle.Evaluation.Contamination.StartContaminationCheck>(); Use<LlmOps.Lifecycle.Evaluation.Judges.ReadJudgements>();
        Use<ReadDeployments>(); Use<ReadKnowledge>(); Use<ReadTraces>(); Use<ReadAudit>(); Use<VerifyAudit>(); Use<ReadPeople>(); Use<CompareRuns>(); Use<LlmOps.Lifecycle.Evaluation.Suites.StartSuiteRun>(); Use<ResolveRuns>(); Use<ReadPolicies>(); Use<SavePolicy>(); Use<PlanEvaluation>();
        Use<StartPipeline>(); Use<ControlPipeline>(); Use<CancelJobUseCase>(); Use<LlmOps.Lifecycle.Tracking.ControlTraining>(); Use<LlmOps.Lifecycle.Planning.PlanTraining>(); Use<ManageSchedules>(); Use<FireSchedules>(); Use<ReadIncidents>(); Use<HandleIncident>(); Use<ReadAlerts>(); Use<DecideApproval>(); Use<LlmOps.Lifecycle.Promotion.Attestations.ReadAttestations>(); Use<LlmOps.Lifecycle.Promotion.Attestations.RotateSigningKey>(); Use<WithdrawApproval>(); Use<CommentOnApproval>(); Use<ShiftTraffic>(); Use<GiveFeedback>(); Use<ManagePeople>(); Use<ManageTokens>();
        Use<ReadModels>(); Use<ReadVersion>(); Use<ReadAliasHistory>(); Use<DefineEnvironments>(); Use<RequestPromotion>(); Use<RequestRollback>(); Use<ManageDelegations>(); Use<ManageAlertRules>(); Use<NotificationChannels>(); Use<ReadCalendar>();
        Use<ReadNoise>(); Use<LlmOps.Lifecycle.Evaluation.Suites.ReadSuites>(); Use<LlmOps.Lifecycle.Evaluation.Suites.SaveSuite>();
        Use<LlmOps.Lifecycle.Evaluation.Judges.ReadJudges>(); Use<LlmOps.Lifecycle.Evaluation.Judges.SaveJudge>(); Use<LlmOps.Lifecycle.Evaluation.Judges.ReadJudgements>(); Use<LlmOps.Lifecycle.Evaluation.Judges.StartCalibration>(); Use<LlmOps.Lifecycle.Datasets.ReadDatasets>();
        Use<LlmOps.Lifecycle.Sweeps.StartSweep>(); Use<LlmOps.Lifecycle.Sweeps.StopSweep>(); Use<LlmOps.Lifecycle.Sweeps.ReadSweeps>();
        Use<ReadTraceCurves>(); Use<AddTracesToDataset>(); Use<ReadPrices>(); Use<SetPrices>();
        Use<LlmOps.Lifecycle.Tracing.Drift.ReadDrift>(); Use<LlmOps.Lifecycle.Tracing.Drift.WatchDrift>(); Use<LlmOps.Lifecycle.Tracing.Drift.SetDriftWatch>();
        Use<LlmOps.Lifecycle.Webhooks.ReadWebhooks>(); Use<LlmOps.Lifecycle.Webhooks.ManageWebhooks>(); Use<LlmOps.Lifecycle.Webhooks.TestWebhook>(); Use<LlmOps.Lifecycle.Webhooks.ReplayDelivery>();
        foreach (var bundle in new[] { "charts", "pipeline-diagram" })
            JSInterop.SetupModule($"./js/{bundle}.js").Mode = JSRuntimeMode.Loose;
    }

    async ValueTask IAsyncDisposable.DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await DisposeAsync();
        await Product.DisposeAsync();
    }

    /// <summary>The page as this person sees it at this address.</summary>
    protected IRenderedComponent<TPage> Open<TPage>(Actor actor, string address = "/", Action<ComponentParameterCollectionBuilder<TPage>>? parameters = null) where TPage : IComponent
    {
        Services.GetRequiredService<NavigationManager>().NavigateTo(address);
        return Render<TPage>(p =>
        {
            p.AddCascadingValue(actor);
            parameters?.Invoke(p);
        });
    }

    protected static AngleSharp.Dom.IElement Button<TPage>(IRenderedComponent<TPage> page, string text) where TPage : IComponent =>
        page.FindAll("button").First(b => b.TextContent.Trim().StartsWith(text, StringComparison.Ordinal));

    private void Use<T>() where T : class => Services.AddSingleton(_ => Product.Get<T>());
}
