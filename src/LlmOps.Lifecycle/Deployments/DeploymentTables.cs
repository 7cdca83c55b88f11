using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Deployments;

internal static class DeploymentTables
{
    public static void Add(ModelBuilder model)
    {
        model.Entity<Deployment>(e =>
        {
            e.ToTable("deployments");
            e.HasIndex(x => x.Name).IsUnique();
            e.Property(x => x.Revision).IsConcurrencyToken();
            e.HasMany(x => x.Revisions).WithOne(x => x.Deployment!).HasForeignKey(x => x.DeploymentId);
        });
        model.Entity<Revision>(e =>
        {
            e.ToTable("revisions");
            e.HasIndex(x => new { x.DeploymentId, x.Number }).IsUnique();
            e.HasIndex(x => x.ProducedByJobId).IsUnique();
        });
        model.Entity<Canary>(e =>
        {
            e.ToTable("canaries");
            e.HasOne(x => x.Deployment).WithMany().HasForeignKey(x => x.DeploymentId);
            e.HasIndex(x => x.State);
        });
    }
}
