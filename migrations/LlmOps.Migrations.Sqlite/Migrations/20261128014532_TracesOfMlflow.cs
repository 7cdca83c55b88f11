using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace LlmOps.Migrations.Sqlite.Migrations
{
    /// <inheritdoc />
    public partial class TracesOfMlflow : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "assessments",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    TraceId = table.Column<string>(type: "TEXT", nullable: false),
                    SpanId = table.Column<string>(type: "TEXT", nullable: true),
                    Name = table.Column<string>(type: "TEXT", nullable: false),
                    Kind = table.Column<string>(type: "TEXT", maxLength: 32, nullable: false),
                    ValueJson = table.Column<string>(type: "TEXT", nullable: true),
                    ValueText = table.Column<string>(type: "TEXT", maxLength: 100, nullable: false),
                    Number = table.Column<double>(type: "REAL", nullable: true),
                    ErrorCode = table.Column<string>(type: "TEXT", nullable: true),
                    ErrorMessage = table.Column<string>(type: "TEXT", nullable: true),
                    SourceType = table.Column<string>(type: "TEXT", maxLength: 32, nullable: false),
                    SourceId = table.Column<string>(type: "TEXT", nullable: false),
                    Rationale = table.Column<string>(type: "TEXT", nullable: true),
                    MetadataJson = table.Column<string>(type: "TEXT", nullable: false),
                    Overrides = table.Column<Guid>(type: "TEXT", nullable: true),
                    IsValid = table.Column<bool>(type: "INTEGER", nullable: false),
                    CreatedBy = table.Column<string>(type: "TEXT", nullable: false),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false),
                    UpdatedAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_assessments", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "evaluation_datasets",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    Name = table.Column<string>(type: "TEXT", nullable: false),
                    SourceType = table.Column<string>(type: "TEXT", nullable: true),
                    Source = table.Column<string>(type: "TEXT", nullable: true),
                    Schema = table.Column<string>(type: "TEXT", nullable: true),
                    Profile = table.Column<string>(type: "TEXT", nullable: true),
                    Digest = table.Column<string>(type: "TEXT", nullable: false),
                    CreatedBy = table.Column<string>(type: "TEXT", nullable: false),
                    UpdatedBy = table.Column<string>(type: "TEXT", nullable: false),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false),
                    UpdatedAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_evaluation_datasets", x => x.Id);
                });

            migrationBuilder.CreateTable(
                name: "logged_traces",
                columns: table => new
                {
                    TraceId = table.Column<string>(type: "TEXT", nullable: false),
                    ExperimentId = table.Column<Guid>(type: "TEXT", nullable: false),
                    State = table.Column<string>(type: "TEXT", maxLength: 32, nullable: true),
                    ClientRequestId = table.Column<string>(type: "TEXT", nullable: true),
                    RequestPreview = table.Column<string>(type: "TEXT", nullable: true),
                    ResponsePreview = table.Column<string>(type: "TEXT", nullable: true),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_logged_traces", x => x.TraceId);
                });

            migrationBuilder.CreateTable(
                name: "run_traces",
                columns: table => new
                {
                    RunId = table.Column<Guid>(type: "TEXT", nullable: false),
                    TraceId = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_run_traces", x => new { x.RunId, x.TraceId });
                    table.ForeignKey(
                        name: "FK_run_traces_runs_RunId",
                        column: x => x.RunId,
                        principalTable: "runs",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "trace_tags",
                columns: table => new
                {
                    TraceId = table.Column<string>(type: "TEXT", nullable: false),
                    Key = table.Column<string>(type: "TEXT", nullable: false),
                    IsMetadata = table.Column<bool>(type: "INTEGER", nullable: false),
                    Value = table.Column<string>(type: "TEXT", nullable: false),
                    Head = table.Column<string>(type: "TEXT", maxLength: 100, nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_trace_tags", x => new { x.TraceId, x.IsMetadata, x.Key });
                });

            migrationBuilder.CreateTable(
                name: "evaluation_dataset_experiments",
                columns: table => new
                {
                    DatasetId = table.Column<Guid>(type: "TEXT", nullable: false),
                    ExperimentId = table.Column<Guid>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_evaluation_dataset_experiments", x => new { x.DatasetId, x.ExperimentId });
                    table.ForeignKey(
                        name: "FK_evaluation_dataset_experiments_evaluation_datasets_DatasetId",
                        column: x => x.DatasetId,
                        principalTable: "evaluation_datasets",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                    table.ForeignKey(
                        name: "FK_evaluation_dataset_experiments_experiments_ExperimentId",
                        column: x => x.ExperimentId,
                        principalTable: "experiments",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "evaluation_dataset_tags",
                columns: table => new
                {
                    DatasetId = table.Column<Guid>(type: "TEXT", nullable: false),
                    Key = table.Column<string>(type: "TEXT", nullable: false),
                    Value = table.Column<string>(type: "TEXT", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_evaluation_dataset_tags", x => new { x.DatasetId, x.Key });
                    table.ForeignKey(
                        name: "FK_evaluation_dataset_tags_evaluation_datasets_DatasetId",
                        column: x => x.DatasetId,
                        principalTable: "evaluation_datasets",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateTable(
                name: "evaluation_records",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "TEXT", nullable: false),
                    DatasetId = table.Column<Guid>(type: "TEXT", nullable: false),
                    InputsDigest = table.Column<string>(type: "TEXT", maxLength: 64, nullable: false),
                    InputsJson = table.Column<string>(type: "TEXT", nullable: false),
                    OutputsJson = table.Column<string>(type: "TEXT", nullable: true),
                    ExpectationsJson = table.Column<string>(type: "TEXT", nullable: true),
                    TagsJson = table.Column<string>(type: "TEXT", nullable: false),
                    SourceType = table.Column<string>(type: "TEXT", maxLength: 32, nullable: true),
                    SourceId = table.Column<string>(type: "TEXT", nullable: true),
                    SourceJson = table.Column<string>(type: "TEXT", nullable: true),
                    CreatedBy = table.Column<string>(type: "TEXT", nullable: false),
                    UpdatedBy = table.Column<string>(type: "TEXT", nullable: false),
                    CreatedAt = table.Column<long>(type: "INTEGER", nullable: false),
                    UpdatedAt = table.Column<long>(type: "INTEGER", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_evaluation_records", x => x.Id);
                    table.ForeignKey(
                        name: "FK_evaluation_records_evaluation_datasets_DatasetId",
                        column: x => x.DatasetId,
                        principalTable: "evaluation_datasets",
                        principalColumn: "Id",
                        onDelete: ReferentialAction.Cascade);
                });

            migrationBuilder.CreateIndex(
                name: "IX_assessments_Name_TraceId",
                table: "assessments",
                columns: new[] { "Name", "TraceId" });

            migrationBuilder.CreateIndex(
                name: "IX_assessments_TraceId_CreatedAt",
                table: "assessments",
                columns: new[] { "TraceId", "CreatedAt" });

            migrationBuilder.CreateIndex(
                name: "IX_evaluation_dataset_experiments_ExperimentId",
                table: "evaluation_dataset_experiments",
                column: "ExperimentId");

            migrationBuilder.CreateIndex(
                name: "IX_evaluation_datasets_CreatedAt",
                table: "evaluation_datasets",
                column: "CreatedAt");

            migrationBuilder.CreateIndex(
                name: "IX_evaluation_datasets_Name",
                table: "evaluation_datasets",
                column: "Name");

            migrationBuilder.CreateIndex(
                name: "IX_evaluation_records_DatasetId_CreatedAt_Id",
                table: "evaluation_records",
                columns: new[] { "DatasetId", "CreatedAt", "Id" });

            migrationBuilder.CreateIndex(
                name: "IX_evaluation_records_DatasetId_InputsDigest",
                table: "evaluation_records",
                columns: new[] { "DatasetId", "InputsDigest" },
                unique: true);

            migrationBuilder.CreateIndex(
                name: "IX_logged_traces_ExperimentId",
                table: "logged_traces",
                column: "ExperimentId");

            migrationBuilder.CreateIndex(
                name: "IX_run_traces_TraceId",
                table: "run_traces",
                column: "TraceId");

            migrationBuilder.CreateIndex(
                name: "IX_trace_tags_Key_Head_TraceId",
                table: "trace_tags",
                columns: new[] { "Key", "Head", "TraceId" });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "assessments");

            migrationBuilder.DropTable(
                name: "evaluation_dataset_experiments");

            migrationBuilder.DropTable(
                name: "evaluation_dataset_tags");

            migrationBuilder.DropTable(
                name: "evaluation_records");

            migrationBuilder.DropTable(
                name: "logged_traces");

            migrationBuilder.DropTable(
                name: "run_traces");

            migrationBuilder.DropTable(
                name: "trace_tags");

            migrationBuilder.DropTable(
                name: "evaluation_datasets");
        }
    }
}
