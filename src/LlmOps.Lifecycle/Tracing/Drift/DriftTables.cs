using LlmOps.Lifecycle.Deployments;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing.Drift;

internal static class DriftTables
{
    public static void Add(ModelBuilder model)
    {
        model.Entity<DriftWatch>(e => { e.ToTable("drift_watches"); e.HasKey(x => x.DeploymentId); e.HasOne<Deployment>().WithMany().HasForeignKey(x => x.DeploymentId); });
        model.Entity<DriftCheck>(e => { e.ToTable("drift_checks"); e.HasOne<Deployment>().WithMany().HasForeignKey(x => x.DeploymentId); e.HasIndex(x => new { x.DeploymentId, x.At }); });
    }
}
