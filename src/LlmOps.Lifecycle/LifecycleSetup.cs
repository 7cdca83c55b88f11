using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Contamination;
using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Knowledge;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Planning;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Promotion.Attestations;
using LlmOps.Lifecycle.Quickstart;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Lifecycle.Sweeps;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Tracking.Search;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace LlmOps.Lifecycle;

public static class LifecycleSetup
{
    /// <summary>The product without any way in: database, artifacts, hints and use cases. An explicit list, no scanning.</summary>
    public static IServiceCollection AddLifecycle(this IServiceCollection services, IConfiguration configuration)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.AddDatabase(configuration);
        services.AddSingleton(new ArtifactStore(configuration["Artifacts:Folder"] ?? Path.Combine(DataFolder.Of(configuration), "artifacts")));
        services.AddSingleton(new CheckpointFolders(Path.Combine(DataFolder.Of(configuration), "checkpoints")));
        services.AddBus(configuration);

        services.AddSingleton<JobTransitions>();
        services.AddSingleton<CancelJobUseCase>();
        services.AddSingleton<AdvancePipelines>();
        services.AddSingleton<StartPipeline>();
        services.AddSingleton<ControlPipeline>();
        services.AddSingleton<ControlTraining>();
        services.AddSingleton<StartFromCheckpoint>();
        services.AddSingleton<ReadRunOutputs>();
        services.AddSingleton<ImportDataset>();
        services.AddSingleton<ImportModel>();
        services.AddSingleton<ReadRows>();
        services.AddSingleton<Annotate>();
        services.AddSingleton<ScoredRows>();
        services.AddSingleton<CompareRuns>();
        services.AddSingleton<ReadNoise>();
        services.AddSingleton<ResolveRuns>();
        services.AddSingleton<PlanEvaluation>();
        services.AddSingleton<SavePolicy>();
        services.AddSingleton<ReadPolicies>();
        services.AddSingleton<JudgeVersion>();
        services.AddSingleton<SaveJudge>();
        services.AddSingleton<StartCalibration>();
        services.AddSingleton<ReadJudges>();
        services.AddSingleton<ReadJudgements>();
        services.AddSingleton<SaveSuite>();
        services.AddSingleton<StartSuiteRun>();
        services.AddSingleton<ReadSuites>();
        services.AddSingleton<ReadContamination>();
        services.AddSingleton<CheckContamination>();
        services.AddSingleton<StartContaminationCheck>();
        services.AddSingleton<GatherEvidence>();
        services.AddSingleton<RequestPromotion>();
        services.AddSingleton<RequestRollback>();
        services.AddSingleton<WithdrawApproval>();
        services.AddSingleton<CommentOnApproval>();
        services.AddSingleton<ManageDelegations>();
        services.AddSingleton<DefineEnvironments>();
        services.AddSingleton<DecideApproval>();
        services.AddSingleton<ExpireApprovals>();
        services.AddSingleton(s => new AttestationKeys(configuration, s.GetRequiredService<IDbContextFactory<LlmOpsDb>>()));
        services.AddSingleton<AttestPromotion>();
        services.AddSingleton<RotateSigningKey>();
        services.AddSingleton<ReadAttestations>();
        services.AddSingleton<Deploy>();
        services.AddSingleton<ShiftTraffic>();
        services.AddSingleton<IngestSpans>();
        services.AddSingleton<GiveFeedback>();
        services.AddSingleton<ManagePeople>();
        services.AddSingleton<ManageTokens>();
        services.AddSingleton<QuickstartSetup>();

        services.AddSingleton<ReadPipelines>();
        services.AddSingleton<ReadPipelineRun>();
        services.AddSingleton<ReadJobs>();
        services.AddSingleton<ReadWorkers>();
        services.AddSingleton<ReadEvaluations>();
        services.AddSingleton<ReadRowScores>();
        services.AddSingleton<ReadApprovals>();
        services.AddSingleton<ReadAliasHistory>();
        services.AddSingleton<ReadModelRecords>();
        services.AddSingleton<ReadDeployments>();
        services.AddSingleton<ReadServing>();
        services.AddSingleton<ReadServedVersions>();
        services.AddSingleton<ReadKnowledge>();
        services.AddSingleton<ReadTraces>();
        services.AddSingleton<ReadAudit>();
        services.AddSingleton<VerifyAudit>();
        services.AddSingleton<ReadPeople>();

        services.AddSingleton<DescribeModel>();
        services.AddSingleton<ReadModels>();
        services.AddSingleton<ReadVersion>();
        services.AddSingleton<ReadLineage>();
        services.AddSingleton(s => new MeasureMachine(Path.Combine(DataFolder.Of(configuration), "planning"), s.GetRequiredService<IDbContextFactory<LlmOpsDb>>(), s.GetRequiredService<TimeProvider>()));
        services.AddSingleton<PlanFit>();
        services.AddSingleton<CountTokens>();
        services.AddSingleton<PlanTraining>();
        services.AddSingleton<ReadPareto>();
        services.AddSingleton<ReadDatasets>();
        services.AddSingleton<ReadAnnotations>();
        services.AddSingleton<ReadRuns>();
        services.AddSingleton<ReadCurves>();
        services.AddSingleton<ReadOverview>();
        services.AddSingleton<SearchEverything>();

        services.AddSingleton<StartSweep>();
        services.AddSingleton<AdvanceSweeps>();
        services.AddSingleton<StopSweep>();
        services.AddSingleton<ReadSweeps>();

        services.AddSingleton<WriteGroups>();
        services.AddSingleton<CreateExperiment>();
        services.AddSingleton<ChangeExperiment>();
        services.AddSingleton<ReadExperiments>();
        services.AddSingleton<StartRun>();
        services.AddSingleton<ChangeRun>();
        services.AddSingleton<LogInputs>();
        services.AddSingleton<LogModel>();
        services.AddSingleton<LoggedFiles>();
        services.AddSingleton<LogModelHistory>();
        services.AddSingleton<ReadLoggedModels>();
        services.AddSingleton<ReadLoggedRuns>();
        services.AddSingleton<ReadMetricHistory>();
        services.AddSingleton<SearchRuns>();
        services.AddSingleton<RegisterModel>();
        services.AddSingleton<ChangeModel>();
        services.AddSingleton<RegisterVersion>();
        services.AddSingleton<ChangeVersion>();
        services.AddSingleton<PointAlias>();
        services.AddSingleton<ReadRegistry>();

        services.AddScheduling(configuration);
        services.AddWebhooks(configuration);
        return services;
    }
}
