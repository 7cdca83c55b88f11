using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>An in-toto statement (v1): these bytes were promoted, on this evidence, on these people's word.</summary>
public sealed record PromotionStatement(
    [property: JsonPropertyName("_type")] string Type,
    [property: JsonPropertyName("subject")] IReadOnlyList<StatementSubject> Subjects,
    [property: JsonPropertyName("predicateType")] string PredicateType,
    [property: JsonPropertyName("predicate")] PromotionPredicate Predicate)
{
    public const string StatementType = "https://in-toto.io/Statement/v1";
    public const string Promotion = "urn:llmops:promotion:v1";

    public static PromotionStatement Of(IReadOnlyList<StatementSubject> subjects, PromotionPredicate predicate) => new(StatementType, subjects, Promotion, predicate);

    public static PromotionStatement Parse(byte[] json)
    {
        try
        {
            var statement = JsonSerializer.Deserialize<PromotionStatement>(json);
            return statement is { Type: StatementType, PredicateType: Promotion, Subjects: not null, Predicate: not null } ? statement
                : throw LlmOpsException.Invalid($"The statement is no promotion: it is a {statement?.PredicateType ?? "nothing"}.");
        }
        catch (JsonException e)
        {
            throw LlmOpsException.Invalid($"The signed text is no in-toto statement: {e.Message}");
        }
    }
}

/// <param name="Name">"model/3:int8", or "evidence".</param>
public sealed record StatementSubject([property: JsonPropertyName("name")] string Name, [property: JsonPropertyName("digest")] IReadOnlyDictionary<string, string> Digest)
{
    public static StatementSubject Of(string name, string sha256) => new(name, new Dictionary<string, string> { ["sha256"] = sha256 });
}

/// <param name="AuditHead">The end of the audit chain when this was signed: each attestation is a note of it that the database alone cannot forge.</param>
public sealed record PromotionPredicate(
    [property: JsonPropertyName("alias")] string Alias,
    [property: JsonPropertyName("version")] string Version,
    [property: JsonPropertyName("variant")] string Variant,
    [property: JsonPropertyName("evidenceDigest")] string EvidenceDigest,
    [property: JsonPropertyName("approval")] string Approval,
    [property: JsonPropertyName("requestedBy")] string RequestedBy,
    [property: JsonPropertyName("approvedBy")] IReadOnlyList<string> ApprovedBy,
    [property: JsonPropertyName("promotedAt")] DateTimeOffset PromotedAt,
    [property: JsonPropertyName("auditHead")] string AuditHead);
