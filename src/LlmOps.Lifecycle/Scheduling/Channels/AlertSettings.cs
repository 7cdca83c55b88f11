using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace LlmOps.Lifecycle.Scheduling.Channels;

/// <summary>How alerts leave the house: Alerts:Smtp:* and Alerts:Webhooks:*.</summary>
public sealed record AlertSettings
{
    /// <summary>Empty: no mail can be sent.</summary>
    public string SmtpHost { get; init; } = "";
    public int SmtpPort { get; init; } = 587;
    /// <summary>"starttls", "tls" or "none".</summary>
    public string SmtpSecurity { get; init; } = "starttls";
    public string? SmtpUser { get; init; }
    public string? SmtpPassword { get; init; }
    public string From { get; init; } = "";
    /// <summary>Key of the signatures; empty: no webhook can be called.</summary>
    public byte[] WebhookKey { get; init; } = [];
    /// <summary>Whether a webhook may be called at a private, loopback or link-local address.</summary>
    public bool WebhooksAllowPrivate { get; init; }
    /// <summary>Address of this server in links; empty leaves the path alone.</summary>
    public string BaseUrl { get; init; } = "";

    public static AlertSettings Read(IConfiguration configuration)
    {
        var secret = configuration["Alerts:Webhooks:Secret"] ?? "";
        var settings = new AlertSettings
        {
            SmtpHost = configuration["Alerts:Smtp:Host"] ?? "", SmtpPort = Port(configuration["Alerts:Smtp:Port"]), SmtpSecurity = (configuration["Alerts:Smtp:Security"] ?? "starttls").ToLowerInvariant(),
            SmtpUser = configuration["Alerts:Smtp:User"], SmtpPassword = configuration["Alerts:Smtp:Password"], From = configuration["Alerts:Smtp:From"] ?? "",
            WebhookKey = Key(secret), WebhooksAllowPrivate = configuration["Alerts:Webhooks:AllowPrivate"] is { Length: > 0 } allow && bool.Parse(allow), BaseUrl = (configuration["Alerts:BaseUrl"] ?? "").TrimEnd('/'),
        };
        if (settings.SmtpSecurity is not ("starttls" or "tls" or "none"))
            throw new InvalidOperationException($"Alerts:Smtp:Security is '{settings.SmtpSecurity}'. Allowed values: starttls, tls, none.");
        if (settings.SmtpHost.Length > 0 && settings.From.Length == 0)
            throw new InvalidOperationException("Alerts:Smtp:Host is set but Alerts:Smtp:From is not. Set Alerts__Smtp__From, for example 'llmops@example.org'.");
        return settings;
    }

    private static int Port(string? text) => text is null ? 587
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port is > 0 and < 65536 ? port
        : throw new InvalidOperationException($"Alerts:Smtp:Port is '{text}'. Set Alerts__Smtp__Port to a number from 1 to 65535.");

    /// <summary>Standard Webhooks writes a secret as "whsec_" and base64; 24 to 64 bytes.</summary>
    private static byte[] Key(string secret)
    {
        if (secret.Length == 0)
            return [];
        var buffer = new byte[secret.Length];
        var text = secret.StartsWith("whsec_", StringComparison.Ordinal) ? secret[6..] : secret;
        return Convert.TryFromBase64String(text, buffer, out var written) && written is >= 24 and <= 64 ? buffer[..written]
            : throw new InvalidOperationException("Alerts:Webhooks:Secret is no secret. Set Alerts__Webhooks__Secret to 'whsec_' and 24 to 64 random bytes in base64, for example from 'openssl rand -base64 32'.");
    }
}
