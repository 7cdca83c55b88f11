namespace LlmOps.Lifecycle.Datasets;

public enum DatasetKind
{
    Corpus, Instruction, Preference,
    /// <summary>Answers marked as desirable or not.</summary>
    Unpaired,
    /// <summary>Grey pictures, with a label or without.</summary>
    Image,
    /// <summary>Rows of numbers with a target, a number or a label.</summary>
    Table,
}

public sealed class Dataset
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string Name { get; init; }
    public DatasetKind Kind { get; init; }
    public string Description { get; set; } = "";
    public DateTimeOffset CreatedAt { get; init; }
    public List<DatasetVersion> Versions { get; init; } = [];
}

/// <summary>Frozen rows. The artifact holds train.jsonl, held-out.jsonl and, when rows were set aside, quarantine.jsonl.</summary>
public sealed class DatasetVersion
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid DatasetId { get; init; }
    public Dataset? Dataset { get; set; }
    public int Number { get; init; }
    public required string ArtifactDigest { get; init; }
    public long SizeBytes { get; init; }
    public int TrainRows { get; init; }
    public int HeldOutRows { get; init; }
    public int QuarantinedRows { get; init; }
    public string Licence { get; init; } = "";
    public string Source { get; init; } = "";
    /// <summary>Lengths, kinds and samples, JSON (<see cref="DatasetStatistics"/>).</summary>
    public string StatisticsJson { get; init; } = "{}";
    public Guid? ProducedByJobId { get; init; }
    public required string CreatedBy { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
}

/// <summary>What a person answered on a preference row.</summary>
public sealed class Annotation
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid DatasetVersionId { get; init; }
    /// <summary>"train" or "held-out".</summary>
    public required string Split { get; init; }
    public int Row { get; init; }
    /// <summary>"chosen", "rejected", "tie" or "skip": what the person preferred, in the row's own terms whatever side it was shown on.</summary>
    public required string Preferred { get; set; }
    public Guid PersonId { get; init; }
    public required string PersonName { get; init; }
    public DateTimeOffset At { get; set; }
}
