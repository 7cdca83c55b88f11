using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace LlmOps.Migrations.Postgres.Migrations
{
    /// <inheritdoc />
    public partial class MlflowTracking : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_runs_ExperimentId_StartedAt",
                table: "runs");

            migrationBuilder.DropPrimaryKey(
                name: "PK_metrics",
                table: "metrics");

            migrationBuilder.AddColumn<long>(
                name: "DeletedAt",
                table: "runs",
                type: "bigint",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "Head",
                table: "params",
                type: "character varying(100)",
                maxLength: 100,
                nullable: false,
                defaultValue: "");

            migrationBuilder.AddColumn<int>(
                name: "LastNumber",
                table: "models",
                type: "integer",
                nullable: false,
                defaultValue: 0);

            migrationBuilder.AddColumn<long>(
                name: "UpdatedAt",
                table: "models",
                type: "bigint",
                nullable: true);

            migrationBuilder.AddColumn<bool>(
                name: "IsArchived",
                table: "model_versions",
                type: "boolean",
                nullable: false,
                defaultValue: false);

            migrationBuilder.AddColumn<Guid>(
                name: "LoggedModelId",
                table: "model_versions",
                type: "uuid",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "RunLink",
                table: "model_versions",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "Source",
                table: "model_versions",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "UpdatedAt",
                table: "model_versions",
                type: "bigint",
                nullable: true);

            migrationBuilder.AlterColumn<long>(
                name: "Step",
                table: "metrics",
                type: "bigint",
                nullable: false,
                oldClrType: typeof(int),
                oldType: "integer");

            migrationBuilder.AddColumn<bool>(
                name: "IsNan",
                table: "metrics",
                type: "boolean",
                nullable: false,
                defaultValue: false);

            migrationBuilder.AddColumn<string>(
                name: "ArtifactLocation",
                table: "experiments",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "DeletedAt",
                table: "experiments",
                type: "bigint",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "UpdatedAt",
                table: "experiments",
                type: "bigint",
                nullable: true);

            migrationBuilder.AddPrimaryKey(
                name: "PK_metrics",
                table: "metrics",
                columns: new[] { "RunId", "Key", "Step", "At", "Value", "IsNan" });

            migrationBuilder.CreateTable(
                name: "experiment_tags",
                columns: table => new
                {
                    ExperimentId = table.Column<Guid>(type: "uuid", nullable: false),
                    Key = table.Column<string>(type: "text", nullable: false),
                    Value = table.Column<string>(type: "text", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_experiment_tags", x => new { x.ExperimentId, x.Key });
                    table.ForeignKey(
                        name: "FK_experiment_tags_experiments_ExperimentId",
                        column: x => x.ExperimentId,
                        principalTable: "experiments",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "latest_metrics",
                columns: table => new
                {
                    RunId = table.Column<Guid>(type: "uuid", nullable: false),
                    Key = table.Column<string>(type: "text", nullable: false),
                    ExperimentId = table.Column<Guid>(type: "uuid", nullable: false),
                    Value = table.Column<double>(type: "double precision", nullable: false),
                    IsNan = table.Column<bool>(type: "boolean", nullable: false),
                    Step = table.Column<long>(type: "bigint", nullable: false),
                    At = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_latest_metrics", x => new { x.RunId, x.Key });
                    table.ForeignKey(
                        name: "FK_latest_metrics_runs_RunId",
                        column: x => x.RunId,
                        principalTable: "runs",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "logged_datasets",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    ExperimentId = table.Column<Guid>(type: "uuid", nullable: false),
                    Name = table.Column<string>(type: "text", nullable: false),
                    Digest = table.Column<string>(type: "text", nullable: false),
                    SourceType = table.Column<string>(type: "text", nullable: false),
                    Source = table.Column<string>(type: "text", nullable: false),
                    Schema = table.Column<string>(type: "text", nullable: true),
                    Profile = table.Column<string>(type: "text", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_logged_datasets", x => x.Id);
                    table.ForeignKey(
                        name: "FK_logged_datasets_experiments_ExperimentId",
                        column: x => x.ExperimentId,
                        principalTable: "experiments",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "logged_files",
                columns: table => new
                {
                    Root = table.Column<string>(type: "text", nullable: false),
                    Path = table.Column<string>(type: "text", nullable: false),
                    Digest = table.Column<string>(type: "text", nullable: false),
                    SizeBytes = table.Column<long>(type: "bigint", nullable: false),
                    At = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_logged_files", x => new { x.Root, x.Path });
                });

            migrationBuilder.CreateTable(
                name: "logged_models",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    ExperimentId = table.Column<Guid>(type: "uuid", nullable: false),
                    Name = table.Column<string>(type: "text", nullable: false),
                    ModelType = table.Column<string>(type: "text", nullable: true),
                    SourceRunId = table.Column<Guid>(type: "uuid", nullable: true),
                    State = table.Column<string>(type: "character varying(32)", maxLength: 32, nullable: false),
                    StateMessage = table.Column<string>(type: "text", nullable: true),
                    CreatedBy = table.Column<string>(type: "text", nullable: false),
                    CreatedAt = table.Column<long>(type: "bigint", nullable: false),
                    UpdatedAt = table.Column<long>(type: "bigint", nullable: false),
                    DeletedAt = table.Column<long>(type: "bigint", nullable: true)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_logged_models", x => x.Id);
                    table.ForeignKey(
                        name: "FK_logged_models_experiments_ExperimentId",
                        column: x => x.ExperimentId,
                        principalTable: "experiments",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "model_tags",
                columns: table => new
                {
                    ModelId = table.Column<Guid>(type: "uuid", nullable: false),
                    Key = table.Column<string>(type: "text", nullable: false),
                    Value = table.Column<string>(type: "text", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_model_tags", x => new { x.ModelId, x.Key });
                    table.ForeignKey(
                        name: "FK_model_tags_models_ModelId",
                        column: x => x.ModelId,
                        principalTable: "models",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "model_version_tags",
                columns: table => new
                {
                    VersionId = table.Column<Guid>(type: "uuid", nullable: false),
                    Key = table.Column<string>(type: "text", nullable: false),
                    Value = table.Column<string>(type: "text", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_model_version_tags", x => new { x.VersionId, x.Key });
                    table.ForeignKey(
                        name: "FK_model_version_tags_model_versions_VersionId",
                        column: x => x.VersionId,
                        principalTable: "model_versions",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "run_models",
                columns: table => new
                {
                    RunId = table.Column<Guid>(type: "uuid", nullable: false),
                    ModelId = table.Column<Guid>(type: "uuid", nullable: false),
                    IsOutput = table.Column<bool>(type: "boolean", nullable: false),
                    Step = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_run_models", x => new { x.RunId, x.ModelId, x.IsOutput });
                    table.ForeignKey(
                        name: "FK_run_models_runs_RunId",
                        column: x => x.RunId,
                        principalTable: "runs",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "run_tags",
                columns: table => new
                {
                    RunId = table.Column<Guid>(type: "uuid", nullable: false),
                    Key = table.Column<string>(type: "text", nullable: false),
                    Value = table.Column<string>(type: "text", nullable: false),
                    Head = table.Column<string>(type: "character varying(100)", maxLength: 100, nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_run_tags", x => new { x.RunId, x.Key });
                    table.ForeignKey(
                        name: "FK_run_tags_runs_RunId",
                        column: x => x.RunId,
                        principalTable: "runs",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "run_datasets",
                columns: table => new
                {
                    RunId = table.Column<Guid>(type: "uuid", nullable: false),
                    DatasetId = table.Column<Guid>(type: "uuid", nullable: false),
                    Context = table.Column<string>(type: "text", nullable: true),
                    TagsJson = table.Column<string>(type: "text", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_run_datasets", x => new { x.RunId, x.DatasetId });
                    table.ForeignKey(
                        name: "FK_run_datasets_logged_datasets_DatasetId",
                        column: x => x.DatasetId,
                        principalTable: "logged_datasets",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                    table.ForeignKey(
                        name: "FK_run_datasets_runs_RunId",
                        column: x => x.RunId,
                        principalTable: "runs",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "logged_model_metrics",
                columns: table => new
                {
                    ModelId = table.Column<Guid>(type: "uuid", nullable: false),
                    RunId = table.Column<Guid>(type: "uuid", nullable: false),
                    Key = table.Column<string>(type: "text", nullable: false),
                    DatasetName = table.Column<string>(type: "text", nullable: false),
                    DatasetDigest = table.Column<string>(type: "text", nullable: false),
                    Value = table.Column<double>(type: "double precision", nullable: false),
                    IsNan = table.Column<bool>(type: "boolean", nullable: false),
                    Step = table.Column<long>(type: "bigint", nullable: false),
                    At = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_logged_model_metrics", x => new { x.ModelId, x.RunId, x.Key, x.DatasetName, x.DatasetDigest });
                    table.ForeignKey(
                        name: "FK_logged_model_metrics_logged_models_ModelId",
                        column: x => x.ModelId,
                        principalTable: "logged_models",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "logged_model_params",
                columns: table => new
                {
                    ModelId = table.Column<Guid>(type: "uuid", nullable: false),
                    Key = table.Column<string>(type: "text", nullable: false),
                    Value = table.Column<string>(type: "text", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_logged_model_params", x => new { x.ModelId, x.Key });
                    table.ForeignKey(
                        name: "FK_logged_model_params_logged_models_ModelId",
                        column: x => x.ModelId,
                        principalTable: "logged_models",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "logged_model_tags",
                columns: table => new
                {
                    ModelId = table.Column<Guid>(type: "uuid", nullable: false),
                    Key = table.Column<string>(type: "text", nullable: false),
                    Value = table.Column<string>(type: "text", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_logged_model_tags", x => new { x.ModelId, x.Key });
                    table.ForeignKey(
                        name: "FK_logged_model_tags_logged_models_ModelId",
                        column: x => x.ModelId,
                        principalTable: "logged_models",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateIndex(
                name: "IX_runs_ExperimentId_StartedAt_Id",
                table: "runs",
                columns: new[] { "ExperimentId", "StartedAt", "Id" },
                descending: new[] { false, true, false });

            migrationBuilder.CreateIndex(
                name: "IX_params_Key_Head_RunId",
                table: "params",
                columns: new[] { "Key", "Head", "RunId" });

            migrationBuilder.CreateIndex(
                name: "IX_latest_metrics_ExperimentId_Key_Value_RunId",
                table: "latest_metrics",
                columns: new[] { "ExperimentId", "Key", "Value", "RunId" });

            migrationBuilder.CreateIndex(
                name: "IX_logged_datasets_ExperimentId_Name_Digest",
                table: "logged_datasets",
                columns: new[] { "ExperimentId", "Name", "Digest" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_logged_models_ExperimentId_CreatedAt",
                table: "logged_models",
                columns: new[] { "ExperimentId", "CreatedAt" });

            migrationBuilder.CreateIndex(
                name: "IX_run_datasets_DatasetId",
                table: "run_datasets",
                column: "DatasetId");

            migrationBuilder.CreateIndex(
                name: "IX_run_models_ModelId",
                table: "run_models",
                column: "ModelId");

            migrationBuilder.CreateIndex(
                name: "IX_run_tags_Key_Head_RunId",
                table: "run_tags",
                columns: new[] { "Key", "Head", "RunId" });

            migrationBuilder.Sql("UPDATE params SET \"Head\" = substr(\"Value\", 1, 100);");
            migrationBuilder.Sql("INSERT INTO latest_metrics (\"RunId\", \"Key\", \"ExperimentId\", \"Value\", \"IsNan\", \"Step\", \"At\") SELECT \"RunId\", \"Key\", \"ExperimentId\", \"Value\", \"IsNan\", \"Step\", \"At\" FROM (SELECT m.\"RunId\", m.\"Key\", r.\"ExperimentId\", m.\"Value\", m.\"IsNan\", m.\"Step\", m.\"At\", ROW_NUMBER() OVER (PARTITION BY m.\"RunId\", m.\"Key\" ORDER BY m.\"At\" DESC, m.\"Step\" DESC, m.\"Value\" DESC) AS place FROM metrics m JOIN runs r ON r.\"Id\" = m.\"RunId\") AS newest WHERE place = 1;");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "experiment_tags");

            migrationBuilder.DropTable(
                name: "latest_metrics");

            migrationBuilder.DropTable(
                name: "logged_files");

            migrationBuilder.DropTable(
                name: "logged_model_metrics");

            migrationBuilder.DropTable(
                name: "logged_model_params");

            migrationBuilder.DropTable(
                name: "logged_model_tags");

            migrationBuilder.DropTable(
                name: "model_tags");

            migrationBuilder.DropTable(
                name: "model_version_tags");

            migrationBuilder.DropTable(
                name: "run_datasets");

            migrationBuilder.DropTable(
                name: "run_models");

            migrationBuilder.DropTable(
                name: "run_tags");

            migrationBuilder.DropTable(
                name: "logged_models");

            migrationBuilder.DropTable(
                name: "logged_datasets");

            migrationBuilder.DropIndex(
                name: "IX_runs_ExperimentId_StartedAt_Id",
                table: "runs");

            migrationBuilder.DropIndex(
                name: "IX_params_Key_Head_RunId",
                table: "params");

            migrationBuilder.DropPrimaryKey(
                name: "PK_metrics",
                table: "metrics");

            migrationBuilder.DropColumn(
                name: "DeletedAt",
                table: "runs");

            migrationBuilder.DropColumn(
                name: "Head",
                table: "params");

            migrationBuilder.DropColumn(
                name: "LastNumber",
                table: "models");

            migrationBuilder.DropColumn(
                name: "UpdatedAt",
                table: "models");

            migrationBuilder.DropColumn(
                name: "IsArchived",
                table: "model_versions");

            migrationBuilder.DropColumn(
                name: "LoggedModelId",
                table: "model_versions");

            migrationBuilder.DropColumn(
                name: "RunLink",
                table: "model_versions");

            migrationBuilder.DropColumn(
                name: "Source",
                table: "model_versions");

            migrationBuilder.DropColumn(
                name: "UpdatedAt",
                table: "model_versions");

            migrationBuilder.DropColumn(
                name: "IsNan",
                table: "metrics");

            migrationBuilder.DropColumn(
                name: "ArtifactLocation",
                table: "experiments");

            migrationBuilder.DropColumn(
                name: "DeletedAt",
                table: "experiments");

            migrationBuilder.DropColumn(
                name: "UpdatedAt",
                table: "experiments");

            migrationBuilder.AlterColumn<int>(
                name: "Step",
                table: "metrics",
                type: "integer",
                nullable: false,
                oldClrType: typeof(long),
                oldType: "bigint");

            migrationBuilder.AddPrimaryKey(
                name: "PK_metrics",
                table: "metrics",
                columns: new[] { "RunId", "Key", "Step" });

            migrationBuilder.CreateIndex(
                name: "IX_runs_ExperimentId_StartedAt",
                table: "runs",
                columns: new[] { "ExperimentId", "StartedAt" });
        }
    }
}
