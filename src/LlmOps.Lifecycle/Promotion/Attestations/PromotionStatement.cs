using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmOps.Lifecycle.Promotion.Attestations;

/// <summary>An in-toto statement (v1): these bytes were promoted, on this evidence, on these people's word.</summary>
public sealed record PromotionStatement(
    [property: JsonPropertyName("_type")] string Type,
    [property: JsonPropertyName("subject")] IReadOnlyList<StatementSubject> Subjects,
    [property: JsonPropertyName("predicateType")] string PredicateType,
    [property: JsonPropertyName("predicate")] PromotionPredicate Predicate)
{
    public const string StatementType = "https://in-toto.io/Statement/v1";
    public const string Promotion = "urn:llmops:promotion:v1";
    public const string Bundle = "evidence.json";
    public const string Checkpoint = "checkpoint";

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    public static PromotionStatement Of(IReadOnlyList<StatementSubject> subjects, PromotionPredicate predicate) => new(StatementType, subjects, Promotion, predicate);

    public byte[] Write() => JsonSerializer.SerializeToUtf8Bytes(this, Options);

    public static PromotionStatement Parse(byte[] json)
    {
        try
        {
            var statement = JsonSerializer.Deserialize<PromotionStatement>(json, Options);
            return statement is { Type: StatementType, PredicateType: Promotion, Subjects: not null, Predicate: { Version: not null, Variant: not null, Alias: not null, EvidenceDigest: not null } }
                && statement.Subjects.All(s => s is { Name: not null, Digest: not null })
                ? statement : throw LlmOpsException.Invalid($"The signed text is no statement about a promotion: its type is {statement?.PredicateType ?? "nothing"}, not {Promotion}.");
        }
        catch (JsonException e)
        {
            throw LlmOpsException.Invalid($"The signed text is no in-toto statement: {e.Message}");
        }
    }

    /// <summary>Files of the variant or of the checkpoint, by their path.</summary>
    public Dictionary<string, string> FilesOf(string form)
    {
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var subject in Subjects.Where(s => s.Name.StartsWith(form + "/", StringComparison.Ordinal)))
            files.TryAdd(subject.Name[(form.Length + 1)..], subject.Sha256);
        return files;
    }
}

/// <param name="Name">"int8/model.onnx", "checkpoint/config.json" or "evidence.json".</param>
public sealed record StatementSubject(string Name, IReadOnlyDictionary<string, string> Digest)
{
    public static StatementSubject Of(string name, string sha256) => new(name, new Dictionary<string, string> { ["sha256"] = sha256 });

    [JsonIgnore]
    public string Sha256 => Digest.GetValueOrDefault("sha256") ?? "";
}

/// <summary>What was decided, by whom and on what. Times are UTC.</summary>
/// <param name="Version">"name/number".</param>
/// <param name="VersionDigest">Digest of the checkpoint in the artifact store; <paramref name="VariantDigest"/> is that of the variant.</param>
/// <param name="Revision">The how-manieth move of the alias this is, from 1: a statement that is missing in between shows.</param>
/// <param name="Override">The rules of the environment were passed over.</param>
/// <param name="TrainingData">With their digests, as the evidence has them.</param>
/// <param name="EvaluationData">What the runs measured on.</param>
/// <param name="Runs">The evaluations that the evidence names: of the variant first, then of the champion.</param>
/// <param name="Previous">SHA-256 of the statement about the move of this alias before; null when that move has none.</param>
/// <param name="AuditHead">An end of the audit chain from before this: each statement is a note of it that the database alone cannot forge.</param>
public sealed record PromotionPredicate(string Model, string Version, string VersionDigest, string Variant, string VariantDigest, string Alias, int Revision, string Kind, bool Override, string? Reason,
    string? Replaced, string EvidenceDigest, string Approval, StatementPerson RequestedBy, IReadOnlyList<StatementPerson> Signers, StatementRules? Rules, StatementGate? Gate,
    IReadOnlyList<StatementInput> TrainingData, IReadOnlyList<StatementInput> EvaluationData, IReadOnlyList<Guid> Runs, string? Previous, string? AuditHead, DateTime PromotedAt);

/// <param name="OnBehalfOf">In whose place they signed.</param>
public sealed record StatementPerson(Guid Id, string Name, DateTime At, string? OnBehalfOf = null, Guid? OnBehalfOfId = null);

public sealed record StatementRules(int RequiredApprovals, IReadOnlyList<string> Roles, string? MinimumVerdict);

public sealed record StatementGate(string Verdict, Guid? Decision, string? PolicyDigest);

/// <param name="Sha256">Null when the input is no longer in the registry.</param>
public sealed record StatementInput(string Name, string? Sha256);
