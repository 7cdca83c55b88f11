using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace LlmOps.Migrations.Postgres.Migrations
{
    /// <inheritdoc />
    public partial class TracesFromClients : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropPrimaryKey(
                name: "PK_spans",
                table: "spans");

            migrationBuilder.DropIndex(
                name: "IX_spans_TraceId",
                table: "spans");

            migrationBuilder.AddColumn<int>(
                name: "CacheReadTokens",
                table: "spans",
                type: "integer",
                nullable: true);

            migrationBuilder.AddColumn<int>(
                name: "CacheWriteTokens",
                table: "spans",
                type: "integer",
                nullable: true);

            migrationBuilder.AddColumn<double>(
                name: "CostUsd",
                table: "spans",
                type: "double precision",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "Model",
                table: "spans",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "Provider",
                table: "spans",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "ServiceName",
                table: "spans",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "SessionId",
                table: "spans",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<bool>(
                name: "TokensDisagree",
                table: "spans",
                type: "boolean",
                nullable: false,
                defaultValue: false);

            migrationBuilder.AddPrimaryKey(
                name: "PK_spans",
                table: "spans",
                columns: new[] { "TraceId", "SpanId" });

            migrationBuilder.CreateTable(
                name: "model_prices",
                columns: table => new
                {
                    Id = table.Column<Guid>(type: "uuid", nullable: false),
                    Model = table.Column<string>(type: "text", nullable: false),
                    InputUsd = table.Column<double>(type: "double precision", nullable: false),
                    OutputUsd = table.Column<double>(type: "double precision", nullable: false),
                    CacheReadUsd = table.Column<double>(type: "double precision", nullable: true),
                    CacheWriteUsd = table.Column<double>(type: "double precision", nullable: true),
                    ChangedAt = table.Column<long>(type: "bigint", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_model_prices", x => x.Id);
                });

            migrationBuilder.CreateIndex(
                name: "IX_spans_SessionId_StartedAt",
                table: "spans",
                columns: new[] { "SessionId", "StartedAt" });

            migrationBuilder.CreateIndex(
                name: "IX_model_prices_Model",
                table: "model_prices",
                column: "Model",
                unique: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "model_prices");

            migrationBuilder.DropPrimaryKey(
                name: "PK_spans",
                table: "spans");

            migrationBuilder.DropIndex(
                name: "IX_spans_SessionId_StartedAt",
                table: "spans");

            migrationBuilder.DropColumn(
                name: "CacheReadTokens",
                table: "spans");

            migrationBuilder.DropColumn(
                name: "CacheWriteTokens",
                table: "spans");

            migrationBuilder.DropColumn(
                name: "CostUsd",
                table: "spans");

            migrationBuilder.DropColumn(
                name: "Model",
                table: "spans");

            migrationBuilder.DropColumn(
                name: "Provider",
                table: "spans");

            migrationBuilder.DropColumn(
                name: "ServiceName",
                table: "spans");

            migrationBuilder.DropColumn(
                name: "SessionId",
                table: "spans");

            migrationBuilder.DropColumn(
                name: "TokensDisagree",
                table: "spans");

            migrationBuilder.AddPrimaryKey(
                name: "PK_spans",
                table: "spans",
                column: "SpanId");

            migrationBuilder.CreateIndex(
                name: "IX_spans_TraceId",
                table: "spans",
                column: "TraceId");
        }
    }
}
