using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace LlmOps.Migrations.Sqlite.Migrations
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
                type: "INTEGER",
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
