using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>A Dead Simple Signing Envelope: what is signed, its type, and who signed it.</summary>
public sealed record Envelope(
    [property: JsonPropertyName("payloadType")] string PayloadType,
    [property: JsonPropertyName("payload")] string Payload,
    [property: JsonPropertyName("signatures")] IReadOnlyList<EnvelopeSignature> Signatures)
{
    public const string InToto = "application/vnd.in-toto+json";

    /// <summary>Signs the bytes of a statement with ECDSA P-256 over SHA-256.</summary>
    public static Envelope Sign(byte[] statement, ECDsa key) =>
        new(InToto, Convert.ToBase64String(statement), [new(KeyIdOf(key), Convert.ToBase64String(key.SignData(Encoded(InToto, statement), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence)))]);

    public static Envelope Parse(string json)
    {
        try
        {
            return JsonSerializer.Deserialize<Envelope>(json) is { Payload: not null, PayloadType: not null, Signatures.Count: > 0 } envelope
                ? envelope : throw LlmOpsException.Invalid("This is no signing envelope: it needs payload, payloadType and signatures.");
        }
        catch (JsonException e)
        {
            throw LlmOpsException.Invalid($"This is no signing envelope: {e.Message}");
        }
    }

    /// <summary>The statement when a signature by this key covers it; otherwise why not.</summary>
    public byte[] Open(ECDsa key)
    {
        byte[] statement;
        try
        {
            statement = Convert.FromBase64String(Payload);
            var id = KeyIdOf(key);
            if (Signatures.All(s => s.KeyId != id))
                throw LlmOpsException.Invalid($"The envelope is signed by {string.Join(", ", Signatures.Select(s => s.KeyId))}, not by the key {id}. Use that server's public key.");
            if (Signatures.Any(s => s.KeyId == id && key.VerifyData(Encoded(PayloadType, statement), Convert.FromBase64String(s.Signature), HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence)))
                return statement;
        }
        catch (FormatException)
        {
            throw LlmOpsException.Invalid("The envelope's payload or signature is not base64: it was damaged.");
        }
        throw LlmOpsException.Invalid("The signature does not cover this statement: one of them was changed after it was signed.");
    }

    /// <summary>SHA-256 of the public key's SubjectPublicKeyInfo.</summary>
    public static string KeyIdOf(ECDsa key) => Convert.ToHexStringLower(SHA256.HashData(key.ExportSubjectPublicKeyInfo()));

    /// <summary>DSSE's pre-authentication encoding, so that the type is signed too and nothing can be shifted between the two.</summary>
    private static byte[] Encoded(string type, byte[] body) =>
        [.. Encoding.UTF8.GetBytes($"DSSEv1 {Encoding.UTF8.GetByteCount(type)} {type} {body.Length} "), .. body];
}

public sealed record EnvelopeSignature([property: JsonPropertyName("keyid")] string KeyId, [property: JsonPropertyName("sig")] string Signature);
