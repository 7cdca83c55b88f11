using System.Security.Cryptography;
using System.Text;

namespace LlmOps.Lifecycle.Webhooks;

/// <summary>
/// The two signatures that receivers verify. Both are HMAC-SHA256 over "id.timestamp.body" in base64 after "v1,"; they differ in the key: Standard Webhooks
/// decodes the secret from base64 first, MLflow takes its characters as they are.
/// </summary>
public static class WebhookSignature
{
    public const string Prefix = "whsec_";

    /// <summary>All secrets in force sign during a rotation, so that a receiver may hold either; separated by spaces.</summary>
    public static string Standard(IEnumerable<string> secrets, string id, string timestamp, ReadOnlySpan<byte> body)
    {
        var signed = Signed(id, timestamp, body);
        return string.Join(' ', secrets.Select(s => Sign(Key(s), signed)));
    }

    public static string Mlflow(string secret, string id, string timestamp, ReadOnlySpan<byte> body) => Sign(Encoding.UTF8.GetBytes(secret), Signed(id, timestamp, body));

    public static string NewSecret() => Prefix + Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    /// <summary>"whsec_" and 24 to 64 bytes in base64.</summary>
    public static byte[] Key(string secret)
    {
        var buffer = new byte[secret.Length];
        return secret.StartsWith(Prefix, StringComparison.Ordinal) && Convert.TryFromBase64String(secret[Prefix.Length..], buffer, out var written) && written is >= 24 and <= 64 ? buffer[..written]
            : throw LlmOpsException.Invalid("A secret is 'whsec_' and 24 to 64 random bytes in base64. Leave it out, and one is made.");
    }

    private static byte[] Signed(string id, string timestamp, ReadOnlySpan<byte> body) => [.. Encoding.UTF8.GetBytes($"{id}.{timestamp}."), .. body];

    private static string Sign(byte[] key, byte[] signed) => "v1," + Convert.ToBase64String(HMACSHA256.HashData(key, signed));
}
