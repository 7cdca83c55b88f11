using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmOps.Lifecycle.Promotion.Attestations;

/// <summary>A Dead Simple Signing Envelope: what is signed, its type, and who signed it. Pure.</summary>
public sealed record Envelope(
    [property: JsonPropertyName("payloadType")] string PayloadType,
    [property: JsonPropertyName("payload")] string Payload,
    [property: JsonPropertyName("signatures")] IReadOnlyList<EnvelopeSignature> Signatures)
{
    public const string InToto = "application/vnd.in-toto+json";
    public const string MediaType = "application/vnd.dsse.envelope.v1+json";

    /// <summary>A statement names every file of a model; no honest one comes near this.</summary>
    public const int MostBytes = 16 << 20;

    public const int MostSignatures = 64;

    private static readonly JsonSerializerOptions Compact = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Signs the bytes of a statement with ECDSA P-256 over SHA-256; the signature is in DER, as OpenSSL and cosign write it.</summary>
    public static Envelope Sign(byte[] statement, ECDsa key) =>
        new(InToto, Convert.ToBase64String(statement), [new(KeyIdOf(key), Convert.ToBase64String(key.SignData(Encoded(InToto, statement), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence)))]);

    public static Envelope Parse(string json)
    {
        try
        {
            if (json.Length <= MostBytes && JsonSerializer.Deserialize<Envelope>(json) is { Payload: not null, PayloadType: not null, Signatures.Count: > 0 and <= MostSignatures } envelope
                && envelope.Signatures.All(s => s is { Signature: not null }))
            {
                _ = envelope.Statement();
                return envelope;
            }
            throw LlmOpsException.Invalid(json.Length > MostBytes ? $"This is no signing envelope: it is larger than {MostBytes >> 20} MiB." : "This is no signing envelope: it needs payload, payloadType and 1 to 64 signatures.");
        }
        catch (JsonException e)
        {
            throw LlmOpsException.Invalid($"This is no signing envelope: {e.Message}");
        }
        catch (FormatException)
        {
            throw LlmOpsException.Invalid("The envelope's payload is not base64: it was damaged.");
        }
    }

    public string Write() => JsonSerializer.Serialize(this, Compact);

    /// <summary>The signed bytes.</summary>
    public byte[] Statement() => Base64(Payload);

    /// <summary>SHA-256 of the signed bytes. A signature has a random part, so it is these bytes and not the envelope that later statements name.</summary>
    public string StatementDigest() => Convert.ToHexStringLower(SHA256.HashData(Statement()));

    /// <summary>The key id in an envelope is a hint that anybody can write: what counts is whether a signature fits the key.</summary>
    public bool IsSignedBy(ECDsa key)
    {
        var hash = SHA256.HashData(Encoded(PayloadType, Statement()));
        return Signatures.Any(s => Fits(key, hash, s.Signature));
    }

    /// <summary>SHA-256 of the public key's SubjectPublicKeyInfo.</summary>
    public static string KeyIdOf(ECDsa key) => Convert.ToHexStringLower(SHA256.HashData(key.ExportSubjectPublicKeyInfo()));

    /// <summary>DSSE's pre-authentication encoding, so that the type is signed too and nothing can be shifted between the two.</summary>
    public static byte[] Encoded(string type, byte[] body) =>
        [.. Encoding.UTF8.GetBytes($"DSSEv1 {Encoding.UTF8.GetByteCount(type)} {type} {body.Length} "), .. body];

    private static bool Fits(ECDsa key, byte[] hash, string signature)
    {
        try
        {
            return key.VerifyHash(hash, Base64(signature), DSASignatureFormat.Rfc3279DerSequence);
        }
        catch (Exception e) when (e is FormatException or CryptographicException)
        {
            return false;
        }
    }

    // Writers may use either alphabet; readers take both.
    private static byte[] Base64(string text) => Convert.FromBase64String(text.Replace('-', '+').Replace('_', '/'));
}

public sealed record EnvelopeSignature([property: JsonPropertyName("keyid")] string? KeyId, [property: JsonPropertyName("sig")] string Signature);
