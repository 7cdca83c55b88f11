namespace LlmOps.Lifecycle.Promotion;

/// <summary>What the approver signs. Everything in it is read from rows; the digest of its canonical JSON is fixed when the request is made.</summary>
public sealed record Evidence(string Version, string VersionDigest, string Variant, string VariantDigest, long VariantBytes, string TrainedOn, string Licence,
    bool? ParityPassed, Guid? EvaluationRunId, IReadOnlyList<EvidenceMetric> Metrics, string? GateVerdict, IReadOnlyList<RuleResult> GateReasons, string? Champion)
{
    /// <summary>Shape of the bundle; 0 for those made before lineage, effects and reports were part of it, 1 before it named every suite's run and the author.</summary>
    public int Format { get; init; }
    /// <summary>Who had the version made. They do not sign for it.</summary>
    public Guid? AuthorId { get; init; }
    public string? Author { get; init; }
    /// <summary>The newest finished run of each suite, and the champion's on the same suite.</summary>
    public IReadOnlyList<EvidenceRun>? Runs { get; init; }
    public string? Alias { get; init; }
    public string? ChampionVariant { get; init; }
    /// <summary>How often the alias had moved: away and back is also a change.</summary>
    public int AliasRevision { get; init; }
    public Guid? ChampionRunId { get; init; }
    /// <summary>Candidate minus champion on the rows both scored.</summary>
    public IReadOnlyList<EvidenceEffect>? Effects { get; init; }
    /// <summary>The way back to the first version, nearest first.</summary>
    public IReadOnlyList<EvidenceInput>? Lineage { get; init; }
    public IReadOnlyList<EvidenceInput>? Datasets { get; init; }
    public string? ParityReportDigest { get; init; }
    /// <summary>Report of the pass that made the variant: export, optimisation or quantization.</summary>
    public string? VariantReportDigest { get; init; }
    public Guid? GateDecisionId { get; init; }
    public string? PolicyDigest { get; init; }
    public string? ModelCardDigest { get; init; }
    /// <summary>The rules of the environment at the time of the request.</summary>
    public ModelEnvironment? Environment { get; init; }
}

/// <param name="DatasetsDigest">Of what the run says it was measured on.</param>
public sealed record EvidenceRun(string Suite, Guid RunId, Guid? ChampionRunId, string DatasetsDigest);

public sealed record EvidenceMetric(string Name, double Value, double Low, double High, int N, string Unit, double? ChampionValue)
{
    public string? Suite { get; init; }
}

/// <param name="Value">Candidate minus champion.</param>
/// <param name="AdjustedPValue">After Holm over the metrics of its suite.</param>
public sealed record EvidenceEffect(string Name, double Value, double Low, double High, int N, string Unit, double PValue, double AdjustedPValue, int Improved, int Regressed)
{
    public string? Suite { get; init; }
}

/// <param name="Digest">Null when the input is no longer in the registry.</param>
public sealed record EvidenceInput(string Key, string? Digest);
