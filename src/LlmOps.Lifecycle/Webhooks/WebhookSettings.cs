using LlmOps.Lifecycle.Scheduling.Channels;
using Microsoft.Extensions.Configuration;

namespace LlmOps.Lifecycle.Webhooks;

/// <summary>How webhooks leave the house: Webhooks:*.</summary>
public sealed record WebhookSettings
{
    /// <summary>Names of hosts that may be called although they are inside the house.</summary>
    public IReadOnlyList<string> AllowedHosts { get; init; } = [];
    /// <summary>Who tells, in CloudEvents: a URI reference.</summary>
    public string Source { get; init; } = "/llmops";
    /// <summary>How long the log of what arrived or failed is kept.</summary>
    public int KeepDays { get; init; } = 30;

    public static WebhookSettings Read(IConfiguration configuration)
    {
        var source = configuration["Webhooks:Source"] is { Length: > 0 } named ? named : AlertSettings.Read(configuration).BaseUrl is { Length: > 0 } url ? url : "/llmops";
        if (!Uri.TryCreate(source, UriKind.RelativeOrAbsolute, out _))
            throw new InvalidOperationException($"Webhooks:Source is '{source}'. Set Webhooks__Source to the address of this server, for example 'https://llmops.example.org'.");
        var days = configuration["Webhooks:KeepDays"] is not { Length: > 0 } text ? 30 : int.TryParse(text, out var number) && number is > 0 and <= 3650 ? number
            : throw new InvalidOperationException($"Webhooks:KeepDays is '{text}'. Set Webhooks__KeepDays to a number from 1 to 3650.");
        var hosts = (configuration["Webhooks:AllowedHosts"] ?? "").Split([',', ' ', ';'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return new() { AllowedHosts = hosts, Source = source, KeepDays = days };
    }

    internal bool Allows(string host) => AllowedHosts.Contains(host.Trim('[', ']'), StringComparer.OrdinalIgnoreCase);
}
