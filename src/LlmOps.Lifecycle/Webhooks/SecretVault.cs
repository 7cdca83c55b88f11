using System.Security.Cryptography;
using LlmOps.Lifecycle.Data;

namespace LlmOps.Lifecycle.Webhooks;

/// <summary>
/// Secrets of webhooks as they are stored: sealed with keys that lie outside of the database, so that a copy of the database signs nothing. Rows from before stay readable and
/// are sealed when they are written the next time.
/// </summary>
/// <param name="seal">Null stores them as they are: for a host that has no keys.</param>
public sealed class SecretVault(Func<string, string>? seal, Func<string, string> open)
{
    private const string Mark = "sealed:";

    public static SecretVault Plain { get; } = new(null, _ => throw new CryptographicException("This process has no keys."));

    public string Write(IReadOnlyList<WebhookSecret> secrets) => seal is null || secrets.Count == 0 ? Json.Write(secrets) : Mark + seal(Json.Write(secrets));

    public List<WebhookSecret> Read(string stored)
    {
        if (!stored.StartsWith(Mark, StringComparison.Ordinal))
            return Json.Read<List<WebhookSecret>>(stored);
        try
        {
            return Json.Read<List<WebhookSecret>>(open(stored[Mark.Length..]));
        }
        catch (CryptographicException e)
        {
            throw new LlmOpsException(ErrorCode.ResourceConflict, "The secrets of this webhook were sealed with keys that are not in the data folder (keys/). Bring the keys back, or give the webhook a new secret.", e);
        }
    }

    /// <summary>Null when the keys are gone.</summary>
    public List<WebhookSecret>? TryRead(string stored)
    {
        try
        {
            return Read(stored);
        }
        catch (LlmOpsException)
        {
            return null;
        }
    }
}
