using System.Net.Mime;
using System.Security.Claims;
using System.Text;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Promotion.Attestations;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api.V1;

/// <param name="Mismatches">What of the records is not as it was signed; empty when all is.</param>
public sealed record AttestationCheck(bool IsGood, IReadOnlyList<string> Mismatches, AttestationRow Attestation, PromotionStatement? Statement);

/// <summary>Signed statements about promotions. Reading them, and the public keys, asks for what all reading asks for: nothing here is secret, but a server tells strangers nothing.</summary>
public static class AttestationsApi
{
    public static void MapAttestations(this IEndpointRouteBuilder v1)
    {
        var approval = v1.MapGroup("/approvals/{id:guid}").WithTags("Attestations");
        approval.MapGet("/attestation", async (Guid id, ReadAttestations read, CancellationToken ct) =>
            await read.GetAsync(id, ct) is var found ? Download(found.EnvelopeJson, Envelope.MediaType, found.Row.FileName) : null)
            .WithSummary("The signed statement about a promotion: in-toto in a DSSE envelope, for 'llmops verify'.");
        approval.MapGet("/attestation/check", async (Guid id, ReadAttestations read, CancellationToken ct) =>
            await read.GetAsync(id, ct) is var found ? new AttestationCheck(found.Mismatches.Count == 0, found.Mismatches, found.Row, found.Statement) : null)
            .WithSummary("Whether the records are still as they were signed. The server says so itself: 'llmops verify' asks nobody.");
        approval.MapGet("/evidence", async (Guid id, ReadAttestations read, CancellationToken ct) =>
            await read.EvidenceAsync(id, ct) is var (name, json) ? Download(json, MediaTypeNames.Application.Json, name) : null)
            .WithSummary("The bundle of evidence, byte for byte as it was signed: its SHA-256 is the evidence digest.");
        v1.MapGet("/models/{name}/versions/{number:int}/attestations", (string name, int number, ReadAttestations read, CancellationToken ct) => read.OfVersionAsync(new(name, number), ct))
            .WithTags("Attestations").WithSummary("Signed statements about promotions of a version, newest first.");
        v1.MapGet("/models/{name}/aliases/{alias}/attestations", async (string name, string alias, ReadAttestations read, CancellationToken ct) =>
            Download(string.Concat((await read.HistoryAsync(name, alias, ct)).Select(e => e + "\n")), "application/jsonl", $"{name}-{alias}.attestations.jsonl"))
            .WithTags("Attestations").WithSummary("The statements about every move of an alias, oldest first, one envelope a line. Each names the one before it.");
        Keys(v1.MapGroup("/attestations/keys").WithTags("Attestations"));
    }

    private static void Keys(RouteGroupBuilder keys)
    {
        keys.MapGet("", (ReadAttestations read, CancellationToken ct) => read.KeysAsync(ct)).WithSummary("The public keys: the one in force first, then the retired ones, which old statements are checked with.");
        keys.MapGet("/{id}.pem", async (string id, ReadAttestations read, CancellationToken ct) =>
            await read.KeyAsync(id, ct) is var key ? Download(key.PublicKeyPem + "\n", "application/x-pem-file", $"attestation-{key.KeyId[..12]}.pem") : null)
            .WithSummary("One public key in PEM form; 'current' is the one in force.");
        keys.MapPost("/rotate", async (RotateSigningKey rotate, ClaimsPrincipal user, CancellationToken ct) => Results.Ok(await rotate.RotateAsync(user.ToActor(), ct)))
            .RequirePermission(Permission.Administer).WithSummary("Puts a new signing key in force and retires the old one.");
    }

    private static IResult Download(string text, string type, string name) => Results.File(Encoding.UTF8.GetBytes(text), type, name);
}
