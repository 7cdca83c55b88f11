using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace LlmOps.Migrations.Sqlite;

public sealed class DesignTimeFactory : IDesignTimeDbContextFactory<LlmOpsDb>
{
    public LlmOpsDb CreateDbContext(string[] args)
    {
        var options = new DbContextOptionsBuilder<LlmOpsDb>();
        DatabaseSetup.UseSqlite(options, "Data Source=design-time.db");
        return new LlmOpsDb(options.Options);
    }
}
