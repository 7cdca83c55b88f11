using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace LlmOps.Migrations.Postgres.Migrations
{
    /// <inheritdoc />
    public partial class SpanNanoseconds : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<int>(
                name: "StartedNanos",
                table: "spans",
                type: "integer",
                nullable: false,
                defaultValue: 0);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "StartedNanos",
                table: "spans");
        }
    }
}
