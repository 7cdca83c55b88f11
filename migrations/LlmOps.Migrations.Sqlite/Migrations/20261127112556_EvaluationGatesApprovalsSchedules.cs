using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace LlmOps.Migrations.Sqlite.Migrations
{
    /// <inheritdoc />
    public partial class EvaluationGatesApprovalsSchedules : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_evaluation_runs_JobId_VersionId_VariantName",
                table: "evaluation_runs");

            migrationBuilder.AlterColumn<Guid>(
                name: "DefinitionId",
                table: "schedules",
                type: "TEXT",
                nullable: true,
                oldClrType: typeof(Guid),
                oldType: "TEXT");

            migrationBuilder.AddColumn<string>(
                name: "CatchUp",
                table: "schedules",
                type: "TEXT",
                maxLength: 32,
                nullable: false,
                defaultValue: "Once");

            migrationBuilder.AddColumn<string>(
                name: "Kind",
                table: "schedules",
                type: "TEXT",
                maxLength: 32,
                nullable: false,
                defaultValue: "pipeline");

            migrationBuilder.AddColumn<string>(
                name: "Overlap",
                table: "schedules",
                type: "TEXT",
                maxLength: 32,
                nullable: false,
                defaultValue: "Skip");

            migrationBuilder.AddColumn<string>(
                name: "SpecJson",
                table: "schedules",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "Cluster",
                table: "row_scores",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "DetailJson",
                table: "row_scores",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<double>(
                name: "DurationMs",
                table: "row_scores",
                type: "REAL",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "Error",
                table: "row_scores",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "State",
                table: "row_scores",
                type: "TEXT",
                maxLength: 32,
                nullable: false,
                defaultValue: "Scored");

            migrationBuilder.AddColumn<string>(
                name: "EnvironmentsJson",
                table: "models",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<int>(
                name: "Look",
                table: "gate_decisions",
                type: "INTEGER",
                nullable: false,
                defaultValue: 0);

            migrationBuilder.AddColumn<Guid>(
                name: "PolicyId",
                table: "gate_decisions",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "ReportJson",
                table: "gate_decisions",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "DetailJson",
                table: "evaluation_runs",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<int>(
                name: "Repeat",
                table: "evaluation_runs",
                type: "INTEGER",
                nullable: false,
                defaultValue: 0);

            migrationBuilder.AddColumn<Guid>(
                name: "SuiteVersionId",
                table: "evaluation_runs",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "TasksJson",
                table: "evaluation_runs",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "Hash",
                table: "audit",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "PreviousHash",
                table: "audit",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "Sequence",
                table: "audit",
                type: "INTEGER",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "Kind",
                table: "approvals",
                type: "TEXT",
                maxLength: 32,
                nullable: false,
                defaultValue: "Promotion");

            migrationBuilder.AddColumn<string>(
                name: "Reason",
                table: "approvals",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<int>(
                name: "RequiredApprovals",
                table: "approvals",
                type: "INTEGER",
                nullable: false,
                defaultValue: 1);

            migrationBuilder.AddColumn<string>(
                name: "VoidedReason",
                table: "approvals",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "EvidenceDigest",
                table: "alias_moves",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "Kind",
                table: "alias_moves",
                type: "TEXT",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "Reason",
                table: "alias_moves",
                type: "TEXT",
                nullable: true);

            migrationBuilder.CreateTable(
                name: "alert_rules",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    Name = table.Column<string>(type: "TEXT", nullable: false),
                    ScheduleId = table.Column<Guid>(type: "TEXT", nullable: true),
                    Condition = table.Column<string>(type: "TEXT", nullable: false),
                    ParametersJson = table.Column<string>(type: "TEXT", nullable: false),
                    ChannelsJson = table.Column<string>(type: "TEXT", nullable: false),
                    Enabled = table.Column<bool>(type: "INTEGER", nullable: false),
                    CreatedBy = table.Column<string>(type: "TEXT", nullable: false),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_alert_rules", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "approval_comments",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    ApprovalId = table.Column<Guid>(type: "TEXT", nullable: false),
                    PersonId = table.Column<Guid>(type: "TEXT", nullable: false),
                    PersonName = table.Column<string>(type: "TEXT", nullable: false),
                    Text = table.Column<string>(type: "TEXT", nullable: false),
                    At = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_approval_comments", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "approval_signatures",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    ApprovalId = table.Column<Guid>(type: "TEXT", nullable: false),
                    PersonId = table.Column<Guid>(type: "TEXT", nullable: false),
                    PersonName = table.Column<string>(type: "TEXT", nullable: false),
                    OnBehalfOfId = table.Column<Guid>(type: "TEXT", nullable: true),
                    OnBehalfOf = table.Column<string>(type: "TEXT", nullable: true),
                    Decision = table.Column<string>(type: "TEXT", maxLength: 32, nullable: false),
                    EvidenceDigest = table.Column<string>(type: "TEXT", nullable: false),
                    Comment = table.Column<string>(type: "TEXT", nullable: false),
                    At = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_approval_signatures", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "attestations",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    ApprovalId = table.Column<Guid>(type: "TEXT", nullable: false),
                    SubjectDigest = table.Column<string>(type: "TEXT", nullable: false),
                    EnvelopeJson = table.Column<string>(type: "TEXT", nullable: false),
                    KeyId = table.Column<string>(type: "TEXT", nullable: false),
                    At = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_attestations", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "audit_head",
                columns: table => new
                {
                    Id = table.Column<int>(type: "INTEGER", nullable: false),
                    Sequence = table.Column<long>(type: "INTEGER", nullable: false),
                    Hash = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_audit_head", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "contamination_reports",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    EvaluationDatasetDigest = table.Column<string>(type: "TEXT", nullable: false),
                    TrainingDatasetDigest = table.Column<string>(type: "TEXT", nullable: false),
                    EvaluationDataset = table.Column<string>(type: "TEXT", nullable: false),
                    TrainingDataset = table.Column<string>(type: "TEXT", nullable: false),
                    Rows = table.Column<int>(type: "INTEGER", nullable: false),
                    ExactRows = table.Column<int>(type: "INTEGER", nullable: false),
                    NearRows = table.Column<int>(type: "INTEGER", nullable: false),
                    ReportJson = table.Column<string>(type: "TEXT", nullable: false),
                    At = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_contamination_reports", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "delegations",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    FromId = table.Column<Guid>(type: "TEXT", nullable: false),
                    FromName = table.Column<string>(type: "TEXT", nullable: false),
                    ToId = table.Column<Guid>(type: "TEXT", nullable: false),
                    ToName = table.Column<string>(type: "TEXT", nullable: false),
                    StartsAt = table.Column<long>(type: "INTEGER", nullable: false),
                    EndsAt = table.Column<long>(type: "INTEGER", nullable: false),
                    Reason = table.Column<string>(type: "TEXT", nullable: false),
                    RevokedAt = table.Column<long>(type: "INTEGER", nullable: true),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_delegations", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "gate_policies",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    Name = table.Column<string>(type: "TEXT", nullable: false),
                    Number = table.Column<int>(type: "INTEGER", nullable: false),
                    Yaml = table.Column<string>(type: "TEXT", nullable: false),
                    Digest = table.Column<string>(type: "TEXT", nullable: false),
                    CreatedBy = table.Column<string>(type: "TEXT", nullable: false),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_gate_policies", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "incidents",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    Title = table.Column<string>(type: "TEXT", nullable: false),
                    ScheduleId = table.Column<Guid>(type: "TEXT", nullable: true),
                    EvaluationRunId = table.Column<Guid>(type: "TEXT", nullable: true),
                    BaselineRunId = table.Column<Guid>(type: "TEXT", nullable: true),
                    DetailJson = table.Column<string>(type: "TEXT", nullable: false),
                    OpenedAt = table.Column<long>(type: "INTEGER", nullable: false),
                    AcknowledgedBy = table.Column<string>(type: "TEXT", nullable: true),
                    AcknowledgedAt = table.Column<long>(type: "INTEGER", nullable: true),
                    ResolvedBy = table.Column<string>(type: "TEXT", nullable: true),
                    ResolvedAt = table.Column<long>(type: "INTEGER", nullable: true),
                    Note = table.Column<string>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_incidents", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "judge_calibrations",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    JudgeId = table.Column<Guid>(type: "TEXT", nullable: false),
                    Dataset = table.Column<string>(type: "TEXT", nullable: false),
                    ReportJson = table.Column<string>(type: "TEXT", nullable: false),
                    CreatedBy = table.Column<string>(type: "TEXT", nullable: false),
                    At = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_judge_calibrations", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "judges",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    Name = table.Column<string>(type: "TEXT", nullable: false),
                    Number = table.Column<int>(type: "INTEGER", nullable: false),
                    DefinitionJson = table.Column<string>(type: "TEXT", nullable: false),
                    Digest = table.Column<string>(type: "TEXT", nullable: false),
                    CreatedBy = table.Column<string>(type: "TEXT", nullable: false),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_judges", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "notifications",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    AlertRuleId = table.Column<Guid>(type: "TEXT", nullable: true),
                    Channel = table.Column<string>(type: "TEXT", nullable: false),
                    Target = table.Column<string>(type: "TEXT", nullable: true),
                    Title = table.Column<string>(type: "TEXT", nullable: false),
                    Text = table.Column<string>(type: "TEXT", nullable: false),
                    Href = table.Column<string>(type: "TEXT", nullable: true),
                    State = table.Column<string>(type: "TEXT", maxLength: 32, nullable: false),
                    Attempts = table.Column<int>(type: "INTEGER", nullable: false),
                    NotBefore = table.Column<long>(type: "INTEGER", nullable: true),
                    Error = table.Column<string>(type: "TEXT", nullable: true),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false),
                    SentAt = table.Column<long>(type: "INTEGER", nullable: true),
                    ReadAt = table.Column<long>(type: "INTEGER", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_notifications", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "schedule_firings",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    ScheduleId = table.Column<Guid>(type: "TEXT", nullable: false),
                    DueAt = table.Column<long>(type: "INTEGER", nullable: false),
                    FiredAt = table.Column<long>(type: "INTEGER", nullable: false),
                    Missed = table.Column<int>(type: "INTEGER", nullable: false),
                    Outcome = table.Column<string>(type: "TEXT", maxLength: 32, nullable: false),
                    PipelineRunId = table.Column<Guid>(type: "TEXT", nullable: true),
                    JobId = table.Column<Guid>(type: "TEXT", nullable: true),
                    Verdict = table.Column<string>(type: "TEXT", maxLength: 32, nullable: true),
                    Note = table.Column<string>(type: "TEXT", nullable: true),
                    ResultJson = table.Column<string>(type: "TEXT", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_schedule_firings", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "signing_keys",
                columns: table => new
                {
                    KeyId = table.Column<string>(type: "TEXT", nullable: false),
                    PublicKeyPem = table.Column<string>(type: "TEXT", nullable: false),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false),
                    RetiredAt = table.Column<long>(type: "INTEGER", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_signing_keys", x => x.KeyId);
                });

            migrationBuilder.CreateTable(
                name: "suite_versions",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    SuiteId = table.Column<Guid>(type: "TEXT", nullable: false),
                    Number = table.Column<int>(type: "INTEGER", nullable: false),
                    Yaml = table.Column<string>(type: "TEXT", nullable: false),
                    Digest = table.Column<string>(type: "TEXT", nullable: false),
                    CreatedBy = table.Column<string>(type: "TEXT", nullable: false),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_suite_versions", x => x.Id);
                    table.ForeignKey(
                        name: "FK_suite_versions_evaluation_suites_SuiteId",
                        column: x => x.SuiteId,
                        principalTable: "evaluation_suites",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateIndex(
                name: "IX_row_scores_EvaluationRunId_Task_State",
                table: "row_scores",
                columns: new[] { "EvaluationRunId", "Task", "State" });

            migrationBuilder.CreateIndex(
                name: "IX_gate_decisions_VersionId_VariantName_At",
                table: "gate_decisions",
                columns: new[] { "VersionId", "VariantName", "At" });

            migrationBuilder.CreateIndex(
                name: "IX_evaluation_runs_JobId_VersionId_VariantName_Repeat",
                table: "evaluation_runs",
                columns: new[] { "JobId", "VersionId", "VariantName", "Repeat" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_audit_Sequence",
                table: "audit",
                column: "Sequence",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_alert_rules_Name",
                table: "alert_rules",
                column: "Name",
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_approval_comments_ApprovalId_At",
                table: "approval_comments",
                columns: new[] { "ApprovalId", "At" });

            migrationBuilder.CreateIndex(
                name: "IX_approval_signatures_ApprovalId_PersonId",
                table: "approval_signatures",
                columns: new[] { "ApprovalId", "PersonId" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_attestations_ApprovalId",
                table: "attestations",
                column: "ApprovalId");

            migrationBuilder.CreateIndex(
                name: "IX_attestations_SubjectDigest",
                table: "attestations",
                column: "SubjectDigest");

            migrationBuilder.CreateIndex(
                name: "IX_contamination_reports_EvaluationDatasetDigest_TrainingDatasetDigest",
                table: "contamination_reports",
                columns: new[] { "EvaluationDatasetDigest", "TrainingDatasetDigest" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_delegations_ToId",
                table: "delegations",
                column: "ToId");

            migrationBuilder.CreateIndex(
                name: "IX_gate_policies_Name_Number",
                table: "gate_policies",
                columns: new[] { "Name", "Number" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_incidents_ResolvedAt_OpenedAt",
                table: "incidents",
                columns: new[] { "ResolvedAt", "OpenedAt" });

            migrationBuilder.CreateIndex(
                name: "IX_incidents_ScheduleId",
                table: "incidents",
                column: "ScheduleId");

            migrationBuilder.CreateIndex(
                name: "IX_judge_calibrations_JudgeId_At",
                table: "judge_calibrations",
                columns: new[] { "JudgeId", "At" });

            migrationBuilder.CreateIndex(
                name: "IX_judges_Name_Number",
                table: "judges",
                columns: new[] { "Name", "Number" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_notifications_Channel_CreatedAt",
                table: "notifications",
                columns: new[] { "Channel", "CreatedAt" });

            migrationBuilder.CreateIndex(
                name: "IX_notifications_State_NotBefore",
                table: "notifications",
                columns: new[] { "State", "NotBefore" });

            migrationBuilder.CreateIndex(
                name: "IX_schedule_firings_FiredAt",
                table: "schedule_firings",
                column: "FiredAt");

            migrationBuilder.CreateIndex(
                name: "IX_schedule_firings_PipelineRunId",
                table: "schedule_firings",
                column: "PipelineRunId");

            migrationBuilder.CreateIndex(
                name: "IX_schedule_firings_ScheduleId_DueAt",
                table: "schedule_firings",
                columns: new[] { "ScheduleId", "DueAt" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_suite_versions_SuiteId_Number",
                table: "suite_versions",
                columns: new[] { "SuiteId", "Number" },
                unique: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "alert_rules");

            migrationBuilder.DropTable(
                name: "approval_comments");

            migrationBuilder.DropTable(
                name: "approval_signatures");

            migrationBuilder.DropTable(
                name: "attestations");

            migrationBuilder.DropTable(
                name: "audit_head");

            migrationBuilder.DropTable(
                name: "contamination_reports");

            migrationBuilder.DropTable(
                name: "delegations");

            migrationBuilder.DropTable(
                name: "gate_policies");

            migrationBuilder.DropTable(
                name: "incidents");

            migrationBuilder.DropTable(
                name: "judge_calibrations");

            migrationBuilder.DropTable(
                name: "judges");

            migrationBuilder.DropTable(
                name: "notifications");

            migrationBuilder.DropTable(
                name: "schedule_firings");

            migrationBuilder.DropTable(
                name: "signing_keys");

            migrationBuilder.DropTable(
                name: "suite_versions");

            migrationBuilder.DropIndex(
                name: "IX_row_scores_EvaluationRunId_Task_State",
                table: "row_scores");

            migrationBuilder.DropIndex(
                name: "IX_gate_decisions_VersionId_VariantName_At",
                table: "gate_decisions");

            migrationBuilder.DropIndex(
                name: "IX_evaluation_runs_JobId_VersionId_VariantName_Repeat",
                table: "evaluation_runs");

            migrationBuilder.DropIndex(
                name: "IX_audit_Sequence",
                table: "audit");

            migrationBuilder.DropColumn(
                name: "CatchUp",
                table: "schedules");

            migrationBuilder.DropColumn(
                name: "Kind",
                table: "schedules");

            migrationBuilder.DropColumn(
                name: "Overlap",
                table: "schedules");

            migrationBuilder.DropColumn(
                name: "SpecJson",
                table: "schedules");

            migrationBuilder.DropColumn(
                name: "Cluster",
                table: "row_scores");

            migrationBuilder.DropColumn(
                name: "DetailJson",
                table: "row_scores");

            migrationBuilder.DropColumn(
                name: "DurationMs",
                table: "row_scores");

            migrationBuilder.DropColumn(
                name: "Error",
                table: "row_scores");

            migrationBuilder.DropColumn(
                name: "State",
                table: "row_scores");

            migrationBuilder.DropColumn(
                name: "EnvironmentsJson",
                table: "models");

            migrationBuilder.DropColumn(
                name: "Look",
                table: "gate_decisions");

            migrationBuilder.DropColumn(
                name: "PolicyId",
                table: "gate_decisions");

            migrationBuilder.DropColumn(
                name: "ReportJson",
                table: "gate_decisions");

            migrationBuilder.DropColumn(
                name: "DetailJson",
                table: "evaluation_runs");

            migrationBuilder.DropColumn(
                name: "Repeat",
                table: "evaluation_runs");

            migrationBuilder.DropColumn(
                name: "SuiteVersionId",
                table: "evaluation_runs");

            migrationBuilder.DropColumn(
                name: "TasksJson",
                table: "evaluation_runs");

            migrationBuilder.DropColumn(
                name: "Hash",
                table: "audit");

            migrationBuilder.DropColumn(
                name: "PreviousHash",
                table: "audit");

            migrationBuilder.DropColumn(
                name: "Sequence",
                table: "audit");

            migrationBuilder.DropColumn(
                name: "Kind",
                table: "approvals");

            migrationBuilder.DropColumn(
                name: "Reason",
                table: "approvals");

            migrationBuilder.DropColumn(
                name: "RequiredApprovals",
                table: "approvals");

            migrationBuilder.DropColumn(
                name: "VoidedReason",
                table: "approvals");

            migrationBuilder.DropColumn(
                name: "EvidenceDigest",
                table: "alias_moves");

            migrationBuilder.DropColumn(
                name: "Kind",
                table: "alias_moves");

            migrationBuilder.DropColumn(
                name: "Reason",
                table: "alias_moves");

            migrationBuilder.AlterColumn<Guid>(
                name: "DefinitionId",
                table: "schedules",
                type: "TEXT",
                nullable: false,
                defaultValue: new Guid("00000000-0000-0000-0000-000000000000"),
                oldClrType: typeof(Guid),
                oldType: "TEXT",
                oldNullable: true);

            migrationBuilder.CreateIndex(
                name: "IX_evaluation_runs_JobId_VersionId_VariantName",
                table: "evaluation_runs",
                columns: new[] { "JobId", "VersionId", "VariantName" },
                unique: true);
        }
    }
}
