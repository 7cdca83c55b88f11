using LlmOps.Lifecycle.Tracking;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tracing;

internal static class LoggedTraceTables
{
    public static void Add(ModelBuilder model)
    {
        model.Entity<LoggedTrace>(e => { e.ToTable("logged_traces"); e.HasKey(x => x.TraceId); e.Property(x => x.State).HasMaxLength(32); e.HasIndex(x => x.ExperimentId); });
        model.Entity<TraceTag>(e =>
        {
            e.ToTable("trace_tags");
            e.HasKey(x => new { x.TraceId, x.IsMetadata, x.Key });
            e.Property(x => x.Head).HasMaxLength(IndexedText.Length);
            e.HasIndex(x => new { x.Key, x.Head, x.TraceId });
        });
        model.Entity<RunTrace>(e => { e.ToTable("run_traces"); e.HasKey(x => new { x.RunId, x.TraceId }); e.HasOne<Run>().WithMany().HasForeignKey(x => x.RunId); e.HasIndex(x => x.TraceId); });
        model.Entity<Assessment>(e =>
        {
            e.ToTable("assessments");
            e.HasIndex(x => new { x.TraceId, x.CreatedAt });
            e.HasIndex(x => new { x.Name, x.TraceId });
            e.Property(x => x.Kind).HasMaxLength(32);
            e.Property(x => x.SourceType).HasMaxLength(32);
            e.Property(x => x.ValueText).HasMaxLength(IndexedText.Length);
        });
    }
}
