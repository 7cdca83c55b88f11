using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace LlmOps.Migrations.Postgres;

public sealed class DesignTimeFactory : IDesignTimeDbContextFactory<LlmOpsDb>
{
    public LlmOpsDb CreateDbContext(string[] args)
    {
        var options = new DbContextOptionsBuilder<LlmOpsDb>();
        DatabaseSetup.UsePostgres(options, "Host=127.0.0.1;Database=design_time");
        return new LlmOpsDb(options.Options);
    }
}
