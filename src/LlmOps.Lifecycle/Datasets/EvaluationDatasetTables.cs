using LlmOps.Lifecycle.Tracking;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Datasets;

internal static class EvaluationDatasetTables
{
    public static void Add(ModelBuilder model)
    {
        model.Entity<EvaluationDataset>(e => { e.ToTable("evaluation_datasets"); e.HasIndex(x => x.CreatedAt); e.HasIndex(x => x.Name); e.Property(x => x.Digest).IsConcurrencyToken(); });
        model.Entity<EvaluationDatasetTag>(e => { e.ToTable("evaluation_dataset_tags"); e.HasKey(x => new { x.DatasetId, x.Key }); e.HasOne<EvaluationDataset>().WithMany(x => x.Tags).HasForeignKey(x => x.DatasetId); });
        model.Entity<EvaluationDatasetExperiment>(e =>
        {
            e.ToTable("evaluation_dataset_experiments");
            e.HasKey(x => new { x.DatasetId, x.ExperimentId });
            e.HasOne<EvaluationDataset>().WithMany(x => x.Experiments).HasForeignKey(x => x.DatasetId);
            e.HasOne<Experiment>().WithMany().HasForeignKey(x => x.ExperimentId);
        });
        model.Entity<EvaluationRecord>(e =>
        {
            e.ToTable("evaluation_records");
            e.HasOne<EvaluationDataset>().WithMany().HasForeignKey(x => x.DatasetId);
            e.HasIndex(x => new { x.DatasetId, x.InputsDigest }).IsUnique();
            e.HasIndex(x => new { x.DatasetId, x.CreatedAt, x.Id });
            e.Property(x => x.InputsDigest).HasMaxLength(64);
            e.Property(x => x.SourceType).HasMaxLength(32);
        });
    }
}
