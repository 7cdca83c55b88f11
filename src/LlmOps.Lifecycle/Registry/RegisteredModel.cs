namespace LlmOps.Lifecycle.Registry;

public sealed class RegisteredModel
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string Name { get; set; }
    public string Description { get; set; } = "";
    public required string Owner { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    /// <summary>Its environments in order, JSON; null for the default ones.</summary>
    public string? EnvironmentsJson { get; set; }
    public DateTimeOffset? UpdatedAt { get; set; }
    /// <summary>The highest number that a deleted version had: numbers are never given twice.</summary>
    public int LastNumber { get; set; }
    public List<ModelTag> Tags { get; init; } = [];
    public List<ModelVersion> Versions { get; init; } = [];
    public List<Alias> Aliases { get; init; } = [];
}

/// <summary>A checkpoint in Hugging Face form: what training made. Its runnable forms are its <see cref="ModelVariant"/>s.</summary>
public sealed class ModelVersion
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid ModelId { get; init; }
    public RegisteredModel? Model { get; init; }
    public int Number { get; init; }
    /// <summary>The <see cref="Stage"/> of a version that a client of the MLflow API registered: any files, which this product keeps and guards and does not run.</summary>
    public const string Registered = "mlflow";

    /// <summary>What made it: "pretrain", "align", "fine-tune", "import" or "mlflow".</summary>
    public required string Stage { get; init; }
    public string Description { get; set; } = "";
    /// <summary>Digest of the checkpoint folder in the artifact store; empty for a registered version whose files lie elsewhere.</summary>
    public required string ArtifactDigest { get; init; }
    public long SizeBytes { get; init; }
    public long Parameters { get; init; }
    public Guid? ParentVersionId { get; init; }
    public Guid? RunId { get; init; }
    /// <summary>Datasets it was trained on, as "name/number" separated by commas.</summary>
    public string TrainedOn { get; init; } = "";
    public required string Licence { get; init; }
    /// <summary>The engine's report of the training, JSON.</summary>
    public string ReportJson { get; init; } = "{}";
    /// <summary>Parity of the ONNX export against the checkpoint, JSON; null until it was exported.</summary>
    public string? ParityJson { get; set; }
    public bool? ParityPassed { get; set; }
    public Guid? ProducedByJobId { get; init; }
    public required string CreatedBy { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? UpdatedAt { get; set; }
    /// <summary>The address that a client registered; null for what this product made.</summary>
    public string? Source { get; init; }
    public string? RunLink { get; init; }
    public Guid? LoggedModelId { get; init; }
    public bool IsArchived { get; set; }
    public List<VersionTag> Tags { get; init; } = [];
    public List<ModelVariant> Variants { get; init; } = [];
}

/// <summary>One runnable form of a version: ONNX in some precision.</summary>
public sealed class ModelVariant
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid VersionId { get; init; }
    public ModelVersion? Version { get; init; }
    /// <summary>"fp32", "fp32-optimized", "int8", "int4" …: unique within the version.</summary>
    public required string Name { get; init; }
    public required string Precision { get; init; }
    public required string ArtifactDigest { get; init; }
    public long SizeBytes { get; init; }
    public string? SourceVariant { get; init; }
    /// <summary>Report of the pass that made it (export, optimisation or quantization), JSON.</summary>
    public string ReportJson { get; init; } = "{}";
    public Guid? ProducedByJobId { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>A movable name for a version, "production" for example. The variant says which form of it runs.</summary>
public sealed class Alias
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid ModelId { get; init; }
    public required string Name { get; init; }
    public Guid VersionId { get; set; }
    public string? VariantName { get; set; }
    /// <summary>Grows with each move, so that two people cannot move it at once without one of them noticing.</summary>
    public int Revision { get; set; }
}

/// <summary>History of an alias: one row for each move.</summary>
public sealed class AliasMove
{
    public long Id { get; init; }
    public Guid ModelId { get; init; }
    public required string Name { get; init; }
    public Guid? FromVersionId { get; init; }
    public Guid ToVersionId { get; init; }
    public string? VariantName { get; init; }
    public Guid? ApprovalId { get; init; }
    public string? EvidenceDigest { get; init; }
    /// <summary>Name of the <see cref="Promotion.PromotionKind"/>; null for moves made before kinds were recorded.</summary>
    public string? Kind { get; init; }
    public string? Reason { get; init; }
    public required string MovedBy { get; init; }
    public DateTimeOffset At { get; init; }
}
