using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Knowledge;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Scheduling;
using LlmOps.Lifecycle.Sweeps;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Tracing.Drift;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Webhooks;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Identity.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Data;

/// <summary>The one database of the product, on SQLite or PostgreSQL.</summary>
public sealed class LlmOpsDb(DbContextOptions<LlmOpsDb> options) : IdentityDbContext<Person, IdentityRole<Guid>, Guid>(options)
{
    public DbSet<RegisteredModel> Models => Set<RegisteredModel>();
    public DbSet<ModelVersion> ModelVersions => Set<ModelVersion>();
    public DbSet<ModelVariant> ModelVariants => Set<ModelVariant>();
    public DbSet<Alias> Aliases => Set<Alias>();
    public DbSet<AliasMove> AliasMoves => Set<AliasMove>();
    public DbSet<Experiment> Experiments => Set<Experiment>();
    public DbSet<Run> Runs => Set<Run>();
    public DbSet<Param> Params => Set<Param>();
    public DbSet<Metric> Metrics => Set<Metric>();
    public DbSet<LatestMetric> LatestMetrics => Set<LatestMetric>();
    public DbSet<RunTag> RunTags => Set<RunTag>();
    public DbSet<ExperimentTag> ExperimentTags => Set<ExperimentTag>();
    public DbSet<LoggedDataset> LoggedDatasets => Set<LoggedDataset>();
    public DbSet<RunDataset> RunDatasets => Set<RunDataset>();
    public DbSet<LoggedModel> LoggedModels => Set<LoggedModel>();
    public DbSet<LoggedModelParam> LoggedModelParams => Set<LoggedModelParam>();
    public DbSet<LoggedModelTag> LoggedModelTags => Set<LoggedModelTag>();
    public DbSet<LoggedModelMetric> LoggedModelMetrics => Set<LoggedModelMetric>();
    public DbSet<RunModel> RunModels => Set<RunModel>();
    public DbSet<LoggedFile> LoggedFiles => Set<LoggedFile>();
    public DbSet<ModelTag> ModelTags => Set<ModelTag>();
    public DbSet<VersionTag> VersionTags => Set<VersionTag>();
    public DbSet<RunOutput> RunOutputs => Set<RunOutput>();
    public DbSet<RunCheckpoint> RunCheckpoints => Set<RunCheckpoint>();
    public DbSet<Sweep> Sweeps => Set<Sweep>();
    public DbSet<SweepTrial> SweepTrials => Set<SweepTrial>();
    public DbSet<Dataset> Datasets => Set<Dataset>();
    public DbSet<DatasetVersion> DatasetVersions => Set<DatasetVersion>();
    public DbSet<Annotation> Annotations => Set<Annotation>();
    public DbSet<PipelineDefinition> PipelineDefinitions => Set<PipelineDefinition>();
    public DbSet<PipelineRun> PipelineRuns => Set<PipelineRun>();
    public DbSet<StageRun> StageRuns => Set<StageRun>();
    public DbSet<Schedule> Schedules => Set<Schedule>();
    public DbSet<ScheduleFiring> ScheduleFirings => Set<ScheduleFiring>();
    public DbSet<AlertRule> AlertRules => Set<AlertRule>();
    public DbSet<Notification> Notifications => Set<Notification>();
    public DbSet<Incident> Incidents => Set<Incident>();
    public DbSet<WebhookEndpoint> WebhookEndpoints => Set<WebhookEndpoint>();
    public DbSet<WebhookDelivery> WebhookDeliveries => Set<WebhookDelivery>();
    public DbSet<WebhookAttempt> WebhookAttempts => Set<WebhookAttempt>();
    public DbSet<Job> Jobs => Set<Job>();
    public DbSet<JobLogLine> JobLog => Set<JobLogLine>();
    public DbSet<WorkerNode> Workers => Set<WorkerNode>();
    public DbSet<EvaluationSuite> EvaluationSuites => Set<EvaluationSuite>();
    public DbSet<SuiteVersion> SuiteVersions => Set<SuiteVersion>();
    public DbSet<Judge> Judges => Set<Judge>();
    public DbSet<JudgeCalibration> JudgeCalibrations => Set<JudgeCalibration>();
    public DbSet<ContaminationReport> ContaminationReports => Set<ContaminationReport>();
    public DbSet<EvaluationRun> EvaluationRuns => Set<EvaluationRun>();
    public DbSet<EvaluationMetric> EvaluationMetrics => Set<EvaluationMetric>();
    public DbSet<RowScore> RowScores => Set<RowScore>();
    public DbSet<PackedColumns> PackedColumns => Set<PackedColumns>();
    public DbSet<GateDecision> GateDecisions => Set<GateDecision>();
    public DbSet<GatePolicy> GatePolicies => Set<GatePolicy>();
    public DbSet<ApprovalRequest> Approvals => Set<ApprovalRequest>();
    public DbSet<ApprovalSignature> ApprovalSignatures => Set<ApprovalSignature>();
    public DbSet<ApprovalComment> ApprovalComments => Set<ApprovalComment>();
    public DbSet<Delegation> Delegations => Set<Delegation>();
    public DbSet<Attestation> Attestations => Set<Attestation>();
    public DbSet<SigningKey> SigningKeys => Set<SigningKey>();
    public DbSet<Deployment> Deployments => Set<Deployment>();
    public DbSet<Revision> Revisions => Set<Revision>();
    public DbSet<Canary> Canaries => Set<Canary>();
    public DbSet<KnowledgeBase> KnowledgeBases => Set<KnowledgeBase>();
    public DbSet<IndexBuild> IndexBuilds => Set<IndexBuild>();
    public DbSet<Span> Spans => Set<Span>();
    public DbSet<ModelPrice> ModelPrices => Set<ModelPrice>();
    public DbSet<Feedback> Feedback => Set<Feedback>();
    public DbSet<LoggedTrace> LoggedTraces => Set<LoggedTrace>();
    public DbSet<TraceTag> TraceTags => Set<TraceTag>();
    public DbSet<RunTrace> RunTraces => Set<RunTrace>();
    public DbSet<DriftWatch> DriftWatches => Set<DriftWatch>();
    public DbSet<DriftCheck> DriftChecks => Set<DriftCheck>();
    public DbSet<Assessment> Assessments => Set<Assessment>();
    public DbSet<EvaluationDataset> EvaluationDatasets => Set<EvaluationDataset>();
    public DbSet<EvaluationDatasetTag> EvaluationDatasetTags => Set<EvaluationDatasetTag>();
    public DbSet<EvaluationDatasetExperiment> EvaluationDatasetExperiments => Set<EvaluationDatasetExperiment>();
    public DbSet<EvaluationRecord> EvaluationRecords => Set<EvaluationRecord>();
    public DbSet<ApiToken> ApiTokens => Set<ApiToken>();
    public DbSet<SetupLink> SetupLinks => Set<SetupLink>();
    public DbSet<AuditEntry> Audit => Set<AuditEntry>();
    public DbSet<AuditHead> AuditHeads => Set<AuditHead>();

    /// <summary>Audit entries are chained as they are saved; there is no other way for one to get in.</summary>
    public override Task<int> SaveChangesAsync(bool acceptAllChangesOnSuccess, CancellationToken cancellationToken = default) =>
        Webhooks.AnnouncedSave.SaveAsync(this, () => AuditAppend.SaveAsync(this, () => base.SaveChangesAsync(acceptAllChangesOnSuccess, cancellationToken), cancellationToken), cancellationToken);

    public override int SaveChanges(bool acceptAllChangesOnSuccess) => throw new InvalidOperationException("Save asynchronously: audit entries are chained on the way.");

    protected override void ConfigureConventions(ModelConfigurationBuilder configuration)
    {
        base.ConfigureConventions(configuration);
        configuration.Properties<DateTimeOffset>().HaveConversion<UnixMilliseconds>();
        // Enums are stored by name: rows stay readable and reordering a list in code changes nothing.
        configuration.Properties<JobState>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<LoggedModelState>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<RunState>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<SweepState>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<TrialState>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<PipelineState>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<StageState>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<ApprovalState>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<Verdict>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<RowState>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<PromotionKind>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<SignatureDecision>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<OverlapPolicy>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<CatchUpPolicy>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<FiringOutcome>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<NotificationState>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<EndpointState>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<DeliveryState>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<DatasetKind>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<CanaryState>().HaveConversion<string>().HaveMaxLength(32);
        configuration.Properties<DeploymentKind>().HaveConversion<string>().HaveMaxLength(32);
    }

    protected override void OnModelCreating(ModelBuilder model)
    {
        base.OnModelCreating(model);
        // SQLite keeps time-zone-less text for IdentityUser.LockoutEnd otherwise; the convention above covers it.
        RegistryAndData(model);
        LoggedByClients(model);
        WorkAndPipelines(model);
        EvaluationAndPromotion(model);
        ServingAndPeople(model);
        WebhookTables.Add(model);
        DeploymentTables.Add(model);
        DriftTables.Add(model);
        LoggedTraceTables.Add(model);
        EvaluationDatasetTables.Add(model);
    }

    private static void RegistryAndData(ModelBuilder model)
    {
        model.Entity<RegisteredModel>(e => { e.ToTable("models"); e.HasIndex(x => x.Name).IsUnique(); });
        model.Entity<ModelVersion>(e =>
        {
            e.ToTable("model_versions");
            e.HasIndex(x => new { x.ModelId, x.Number }).IsUnique();
            e.HasIndex(x => x.ProducedByJobId).IsUnique();
        });
        model.Entity<ModelVariant>(e =>
        {
            e.ToTable("model_variants");
            e.HasOne(x => x.Version).WithMany(x => x.Variants).HasForeignKey(x => x.VersionId);
            e.HasIndex(x => new { x.VersionId, x.Name }).IsUnique();
        });
        model.Entity<Alias>(e =>
        {
            e.ToTable("aliases");
            e.HasOne<RegisteredModel>().WithMany(x => x.Aliases).HasForeignKey(x => x.ModelId);
            e.HasIndex(x => new { x.ModelId, x.Name }).IsUnique();
            e.Property(x => x.Revision).IsConcurrencyToken();
        });
        model.Entity<AliasMove>(e => { e.ToTable("alias_moves"); e.HasIndex(x => new { x.ModelId, x.Name }); });
        model.Entity<Experiment>(e => { e.ToTable("experiments"); e.HasIndex(x => x.Name).IsUnique(); });
        model.Entity<Run>(e =>
        {
            e.ToTable("runs");
            e.HasIndex(x => new { x.ExperimentId, x.StartedAt, x.Id }).IsDescending(false, true, false);
            e.HasIndex(x => x.JobId).IsUnique();
            e.HasIndex(x => x.SweepTrialId);
            e.Property(x => x.Verdict).HasMaxLength(32);
        });
        model.Entity<Param>(e => { e.ToTable("params"); e.HasKey(x => new { x.RunId, x.Key }); e.Property(x => x.Head).HasMaxLength(IndexedText.Length); e.HasIndex(x => new { x.ExperimentId, x.Key, x.Head, x.StartedAt, x.RunId }).IsDescending(false, false, false, true, false); });
        model.Entity<Metric>(e => { e.ToTable("metrics"); e.HasKey(x => new { x.RunId, x.Key, x.Step, x.At, x.Value, x.IsNan }); });
        model.Entity<RunOutput>(e =>
        {
            e.ToTable("run_outputs");
            e.HasOne<Run>().WithMany().HasForeignKey(x => x.RunId);
            e.HasIndex(x => new { x.RunId, x.Step, x.Title }).IsUnique();
        });
        model.Entity<RunCheckpoint>(e =>
        {
            e.ToTable("run_checkpoints");
            e.HasOne<Run>().WithMany().HasForeignKey(x => x.RunId);
            e.HasIndex(x => new { x.RunId, x.Step }).IsUnique();
        });
        model.Entity<Dataset>(e => { e.ToTable("datasets"); e.HasIndex(x => x.Name).IsUnique(); });
        model.Entity<DatasetVersion>(e =>
        {
            e.ToTable("dataset_versions");
            e.HasIndex(x => new { x.DatasetId, x.Number }).IsUnique();
            // one import job makes one version of each of its datasets
            e.HasIndex(x => new { x.ProducedByJobId, x.DatasetId }).IsUnique();
        });
        model.Entity<Annotation>(e =>
        {
            e.ToTable("annotations");
            e.HasIndex(x => new { x.DatasetVersionId, x.Split, x.Row, x.PersonId }).IsUnique();
        });
    }

    private static void LoggedByClients(ModelBuilder model)
    {
        model.Entity<LatestMetric>(e =>
        {
            e.ToTable("latest_metrics");
            e.Ignore(x => x.Number);
            e.HasKey(x => new { x.RunId, x.Key });
            e.HasOne<Run>().WithMany().HasForeignKey(x => x.RunId);
            e.HasIndex(x => new { x.ExperimentId, x.Key, x.Value, x.RunId });
        });
        model.Entity<RunTag>(e => { e.ToTable("run_tags"); e.HasKey(x => new { x.RunId, x.Key }); e.Property(x => x.Head).HasMaxLength(IndexedText.Length); e.HasIndex(x => new { x.ExperimentId, x.Key, x.Head, x.StartedAt, x.RunId }).IsDescending(false, false, false, true, false); });
        model.Entity<ExperimentTag>(e => { e.ToTable("experiment_tags"); e.HasKey(x => new { x.ExperimentId, x.Key }); });
        model.Entity<LoggedDataset>(e =>
        {
            e.ToTable("logged_datasets");
            e.HasOne<Experiment>().WithMany().HasForeignKey(x => x.ExperimentId);
            e.HasIndex(x => new { x.ExperimentId, x.Name, x.Digest }).IsUnique();
        });
        model.Entity<RunDataset>(e => { e.ToTable("run_datasets"); e.HasKey(x => new { x.RunId, x.DatasetId }); e.HasOne<Run>().WithMany().HasForeignKey(x => x.RunId); });
        model.Entity<LoggedModel>(e => { e.ToTable("logged_models"); e.HasIndex(x => new { x.ExperimentId, x.CreatedAt }); });
        model.Entity<LoggedModelParam>(e => { e.ToTable("logged_model_params"); e.HasKey(x => new { x.ModelId, x.Key }); e.HasOne<LoggedModel>().WithMany(x => x.Params).HasForeignKey(x => x.ModelId); });
        model.Entity<LoggedModelTag>(e => { e.ToTable("logged_model_tags"); e.HasKey(x => new { x.ModelId, x.Key }); e.HasOne<LoggedModel>().WithMany(x => x.Tags).HasForeignKey(x => x.ModelId); });
        model.Entity<LoggedModelMetric>(e =>
        {
            e.ToTable("logged_model_metrics");
            e.HasKey(x => new { x.ModelId, x.RunId, x.Key, x.DatasetName, x.DatasetDigest });
            e.HasOne<LoggedModel>().WithMany(x => x.Metrics).HasForeignKey(x => x.ModelId);
        });
        model.Entity<RunModel>(e => { e.ToTable("run_models"); e.HasKey(x => new { x.RunId, x.ModelId, x.IsOutput }); e.HasOne<Run>().WithMany().HasForeignKey(x => x.RunId); e.HasIndex(x => x.ModelId); });
        model.Entity<LoggedFile>(e => { e.ToTable("logged_files"); e.HasKey(x => new { x.Root, x.Path }); });
        model.Entity<ModelTag>(e => { e.ToTable("model_tags"); e.HasKey(x => new { x.ModelId, x.Key }); e.HasOne<RegisteredModel>().WithMany(x => x.Tags).HasForeignKey(x => x.ModelId); });
        model.Entity<VersionTag>(e => { e.ToTable("model_version_tags"); e.HasKey(x => new { x.VersionId, x.Key }); e.HasOne<ModelVersion>().WithMany(x => x.Tags).HasForeignKey(x => x.VersionId); });
    }

    private static void WorkAndPipelines(ModelBuilder model)
    {
        model.Entity<Job>(e =>
        {
            e.ToTable("jobs");
            e.Property(x => x.Control).HasMaxLength(32).HasDefaultValue("");
            e.Property(x => x.FencingToken).IsConcurrencyToken();
            e.HasIndex(x => new { x.State, x.CreatedAt });
            e.HasIndex(x => x.StageRunId);
        });
        model.Entity<JobLogLine>(e => { e.ToTable("job_log"); e.HasIndex(x => new { x.JobId, x.Id }); });
        model.Entity<WorkerNode>(e => e.ToTable("workers"));
        model.Entity<PipelineDefinition>(e => { e.ToTable("pipeline_definitions"); e.HasIndex(x => x.Name).IsUnique(); });
        model.Entity<PipelineRun>(e =>
        {
            e.ToTable("pipeline_runs");
            e.HasIndex(x => new { x.DefinitionId, x.Number }).IsUnique();
            e.HasIndex(x => x.State);
        });
        model.Entity<StageRun>(e =>
        {
            e.ToTable("stage_runs");
            e.HasOne(x => x.PipelineRun).WithMany(x => x.Stages).HasForeignKey(x => x.PipelineRunId);
            e.HasIndex(x => new { x.PipelineRunId, x.Name }).IsUnique();
            // Two processes may advance one run at the same time; the one that queues a stage second must notice.
            e.Property(x => x.State).IsConcurrencyToken();
            e.Property(x => x.Round).IsConcurrencyToken();
        });
        model.Entity<Sweep>(e =>
        {
            e.ToTable("sweeps");
            e.HasIndex(x => x.Name).IsUnique();
            e.HasIndex(x => x.State);
            // Two processes may advance one sweep at the same time; the one that ends it second must notice.
            e.Property(x => x.State).IsConcurrencyToken();
        });
        model.Entity<SweepTrial>(e =>
        {
            e.ToTable("sweep_trials");
            e.HasOne(x => x.Sweep).WithMany(x => x.Trials).HasForeignKey(x => x.SweepId);
            e.HasIndex(x => new { x.SweepId, x.Number }).IsUnique();
            e.HasIndex(x => x.PipelineRunId);
            e.Property(x => x.State).IsConcurrencyToken();
        });
        // The defaults are what rows mean that were written before the column was there.
        model.Entity<Schedule>(e =>
        {
            e.ToTable("schedules");
            e.HasIndex(x => x.Name).IsUnique();
            e.Property(x => x.Kind).HasMaxLength(32).HasDefaultValue(Schedule.Pipeline);
            e.Property(x => x.Overlap).HasDefaultValue(OverlapPolicy.Skip);
            e.Property(x => x.CatchUp).HasDefaultValue(CatchUpPolicy.Once);
        });
        model.Entity<ScheduleFiring>(e =>
        {
            e.ToTable("schedule_firings");
            // one due time starts one thing, however many clocks see it
            e.HasIndex(x => new { x.ScheduleId, x.DueAt }).IsUnique();
            e.HasIndex(x => x.FiredAt);
            e.HasIndex(x => x.PipelineRunId);
        });
        model.Entity<AlertRule>(e => { e.ToTable("alert_rules"); e.HasIndex(x => x.Name).IsUnique(); });
        model.Entity<Notification>(e =>
        {
            e.ToTable("notifications");
            e.HasIndex(x => new { x.State, x.NotBefore });
            e.HasIndex(x => new { x.Channel, x.CreatedAt });
        });
        model.Entity<Incident>(e => { e.ToTable("incidents"); e.HasIndex(x => new { x.ResolvedAt, x.OpenedAt }); e.HasIndex(x => x.ScheduleId); e.HasIndex(x => x.DeploymentId); });
    }

    private static void EvaluationAndPromotion(ModelBuilder model)
    {
        model.Entity<EvaluationSuite>(e => { e.ToTable("evaluation_suites"); e.HasIndex(x => x.Name).IsUnique(); });
        model.Entity<EvaluationRun>(e =>
        {
            e.ToTable("evaluation_runs");
            e.HasIndex(x => new { x.JobId, x.VersionId, x.VariantName, x.Repeat }).IsUnique();
            e.HasIndex(x => x.VersionId);
        });
        model.Entity<SuiteVersion>(e => { e.ToTable("suite_versions"); e.HasIndex(x => new { x.SuiteId, x.Number }).IsUnique(); e.HasOne<EvaluationSuite>().WithMany().HasForeignKey(x => x.SuiteId); });
        model.Entity<Judge>(e => { e.ToTable("judges"); e.HasIndex(x => new { x.Name, x.Number }).IsUnique(); });
        model.Entity<JudgeCalibration>(e => { e.ToTable("judge_calibrations"); e.HasIndex(x => new { x.JudgeId, x.At }); });
        model.Entity<ContaminationReport>(e => { e.ToTable("contamination_reports"); e.HasIndex(x => new { x.EvaluationDatasetDigest, x.TrainingDatasetDigest }).IsUnique(); });
        model.Entity<EvaluationMetric>(e => { e.ToTable("evaluation_metrics"); e.HasKey(x => new { x.EvaluationRunId, x.Name }); });
        model.Entity<RowScore>(e =>
        {
            e.ToTable("row_scores");
            e.HasIndex(x => new { x.EvaluationRunId, x.Task, x.RowKey }).IsUnique();
            e.HasIndex(x => new { x.EvaluationRunId, x.Task, x.State });
            e.Property(x => x.State).HasDefaultValue(RowState.Scored);
        });
        model.Entity<PackedColumns>(e => { e.ToTable("packed_columns"); e.HasKey(x => new { x.EvaluationRunId, x.Task }); e.HasOne<EvaluationRun>().WithMany().HasForeignKey(x => x.EvaluationRunId); });
        model.Entity<GateDecision>(e =>
        {
            e.ToTable("gate_decisions");
            e.HasIndex(x => new { x.JobId, x.VersionId, x.VariantName }).IsUnique();
            e.HasIndex(x => new { x.VersionId, x.VariantName, x.At });
        });
        model.Entity<GatePolicy>(e => { e.ToTable("gate_policies"); e.HasIndex(x => new { x.Name, x.Number }).IsUnique(); });
        model.Entity<ApprovalSignature>(e => { e.ToTable("approval_signatures"); e.HasIndex(x => new { x.ApprovalId, x.PersonId }).IsUnique(); });
        model.Entity<ApprovalComment>(e => { e.ToTable("approval_comments"); e.HasIndex(x => new { x.ApprovalId, x.At }); });
        model.Entity<Delegation>(e => { e.ToTable("delegations"); e.HasIndex(x => x.ToId); });
        model.Entity<Attestation>(e => { e.ToTable("attestations"); e.HasIndex(x => x.SubjectDigest); e.HasIndex(x => x.ApprovalId); });
        model.Entity<SigningKey>(e => { e.ToTable("signing_keys"); e.HasKey(x => x.KeyId); });
        model.Entity<ApprovalRequest>(e =>
        {
            e.ToTable("approvals");
            e.HasIndex(x => x.State);
            e.Property(x => x.Revision).IsConcurrencyToken();
            e.Property(x => x.RequiredApprovals).HasDefaultValue(1);
            e.Property(x => x.Kind).HasDefaultValue(PromotionKind.Promotion);
        });
    }

    private static void ServingAndPeople(ModelBuilder model)
    {
        model.Entity<KnowledgeBase>(e => { e.ToTable("knowledge_bases"); e.HasIndex(x => x.Name).IsUnique(); });
        model.Entity<IndexBuild>(e =>
        {
            e.ToTable("index_builds");
            e.HasOne(x => x.KnowledgeBase).WithMany(x => x.Builds).HasForeignKey(x => x.KnowledgeBaseId);
            e.HasIndex(x => new { x.KnowledgeBaseId, x.Number }).IsUnique();
            e.HasIndex(x => x.ProducedByJobId).IsUnique();
        });
        model.Entity<Span>(e =>
        {
            e.ToTable("spans");
            // a span's own number is unique only within its trace
            e.HasKey(x => new { x.TraceId, x.SpanId });
            e.HasIndex(x => x.StartedAt);
            e.HasIndex(x => new { x.SessionId, x.StartedAt });
        });
        model.Entity<ModelPrice>(e => { e.ToTable("model_prices"); e.HasIndex(x => x.Model).IsUnique(); });
        model.Entity<Feedback>(e => { e.ToTable("feedback"); e.HasIndex(x => new { x.TraceId, x.PersonId }).IsUnique(); });
        model.Entity<ApiToken>(e => { e.ToTable("api_tokens"); e.HasIndex(x => x.Hash).IsUnique(); });
        model.Entity<SetupLink>(e => { e.ToTable("setup_links"); e.HasIndex(x => x.Hash).IsUnique(); });
        model.Entity<AuditEntry>(e =>
        {
            e.ToTable("audit");
            e.HasIndex(x => new { x.Subject, x.SubjectId });
            e.HasIndex(x => x.Sequence).IsUnique();
        });
        model.Entity<AuditHead>(e => { e.ToTable("audit_head"); e.Property(x => x.Id).ValueGeneratedNever(); });
    }
}
