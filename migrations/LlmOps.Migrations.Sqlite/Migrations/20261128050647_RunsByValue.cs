using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace LlmOps.Migrations.Sqlite.Migrations
{
    /// <inheritdoc />
    public partial class RunsByValue : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_run_tags_Key_Head_RunId",
                table: "run_tags");

            migrationBuilder.DropIndex(
                name: "IX_params_Key_Head_RunId",
                table: "params");

            migrationBuilder.AddColumn<Guid>(
                name: "ExperimentId",
                table: "run_tags",
                type: "TEXT",
                nullable: false,
                defaultValue: new Guid("00000000-0000-0000-0000-000000000000"));

            migrationBuilder.AddColumn<long>(
                name: "StartedAt",
                table: "run_tags",
                type: "INTEGER",
                nullable: false,
                defaultValue: 0L);

            migrationBuilder.AddColumn<Guid>(
                name: "ExperimentId",
                table: "params",
                type: "TEXT",
                nullable: false,
                defaultValue: new Guid("00000000-0000-0000-0000-000000000000"));

            migrationBuilder.AddColumn<long>(
                name: "StartedAt",
                table: "params",
                type: "INTEGER",
                nullable: false,
                defaultValue: 0L);

            foreach (var table in new[] { "params", "run_tags" })
                migrationBuilder.Sql($"UPDATE {table} SET \"ExperimentId\" = (SELECT r.\"ExperimentId\" FROM runs r WHERE r.\"Id\" = {table}.\"RunId\"), \"StartedAt\" = (SELECT r.\"StartedAt\" FROM runs r WHERE r.\"Id\" = {table}.\"RunId\");");

            migrationBuilder.CreateIndex(
                name: "IX_run_tags_ExperimentId_Key_Head_StartedAt_RunId",
                table: "run_tags",
                columns: new[] { "ExperimentId", "Key", "Head", "StartedAt", "RunId" },
                descending: new[] { false, false, false, true, false });

            migrationBuilder.CreateIndex(
                name: "IX_params_ExperimentId_Key_Head_StartedAt_RunId",
                table: "params",
                columns: new[] { "ExperimentId", "Key", "Head", "StartedAt", "RunId" },
                descending: new[] { false, false, false, true, false });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_run_tags_ExperimentId_Key_Head_StartedAt_RunId",
                table: "run_tags");

            migrationBuilder.DropIndex(
                name: "IX_params_ExperimentId_Key_Head_StartedAt_RunId",
                table: "params");

            migrationBuilder.DropColumn(
                name: "ExperimentId",
                table: "run_tags");

            migrationBuilder.DropColumn(
                name: "StartedAt",
                table: "run_tags");

            migrationBuilder.DropColumn(
                name: "ExperimentId",
                table: "params");

            migrationBuilder.DropColumn(
                name: "StartedAt",
                table: "params");

            migrationBuilder.CreateIndex(
                name: "IX_run_tags_Key_Head_RunId",
                table: "run_tags",
                columns: new[] { "Key", "Head", "RunId" });

            migrationBuilder.CreateIndex(
                name: "IX_params_Key_Head_RunId",
                table: "params",
                columns: new[] { "Key", "Head", "RunId" });
        }
    }
}
