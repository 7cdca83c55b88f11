namespace LlmOps.Lifecycle.Webhooks;

/// <summary>The forms in which an endpoint can be told.</summary>
public static class WebhookProfiles
{
    public const string Standard = "standard";
    public const string CloudEventsStructured = "cloudevents-structured";
    public const string CloudEventsBinary = "cloudevents-binary";
    public const string Mlflow = "mlflow";

    public static IReadOnlyList<string> All { get; } = [Standard, CloudEventsStructured, CloudEventsBinary, Mlflow];

    public static string Parse(string? profile) => profile is { Length: > 0 } named
        ? All.FirstOrDefault(p => p == named.Trim()) ?? throw LlmOpsException.Invalid($"'{profile}' is no profile. Profiles: {string.Join(", ", All)}.")
        : Standard;
}
