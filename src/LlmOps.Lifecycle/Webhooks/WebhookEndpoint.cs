namespace LlmOps.Lifecycle.Webhooks;

public enum EndpointState { Active, Disabled }

public enum DeliveryState { Waiting, Delivered, Failed }

/// <summary>Somebody else's address that is told what happens here.</summary>
public sealed class WebhookEndpoint
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string Name { get; set; }
    public required string Url { get; set; }
    public string? Description { get; set; }
    /// <summary>Types of events, JSON; "approval.*" and "*" stand for many.</summary>
    public required string EventsJson { get; set; }
    /// <summary>One of <see cref="WebhookProfiles"/>.</summary>
    public required string Profile { get; set; }
    /// <summary>Newest first, JSON of <see cref="WebhookSecret"/>; several while one takes over from another.</summary>
    public required string SecretsJson { get; set; }
    public EndpointState State { get; set; }
    public string? DisabledReason { get; set; }
    /// <summary>The receiver asked to be left alone until then, or did not answer at all.</summary>
    public DateTimeOffset? NotBefore { get; set; }
    public int Revision { get; set; }
    public required string CreatedBy { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset ChangedAt { get; set; }
}

/// <summary>One event for one endpoint. The row is the queue: it is written with what it tells, and tried until it arrived or the schedule ends.</summary>
public sealed class WebhookDelivery
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public Guid EndpointId { get; init; }
    public WebhookEndpoint? Endpoint { get; init; }
    public required string Type { get; init; }
    /// <summary>What it is about, "model/3".</summary>
    public required string Subject { get; init; }
    public required string DataJson { get; init; }
    public bool IsTest { get; init; }
    public DeliveryState State { get; set; }
    /// <summary>Attempts in all, and those of this round of the schedule: a replay begins a new round.</summary>
    public int Attempts { get; set; }
    public int Tried { get; set; }
    public DateTimeOffset NotBefore { get; set; }
    public int? LastStatus { get; set; }
    public string? Error { get; set; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? EndedAt { get; set; }
}

public sealed class WebhookAttempt
{
    public Guid DeliveryId { get; init; }
    public int Number { get; init; }
    public DateTimeOffset At { get; init; }
    public int DurationMs { get; init; }
    /// <summary>HTTP status; null when there was no answer.</summary>
    public int? Status { get; init; }
    /// <summary>The beginning of what the receiver answered.</summary>
    public string? Response { get; init; }
    public string? Error { get; init; }
}

/// <param name="ExpiresAt">When it stops signing; null for the one in force.</param>
public sealed record WebhookSecret(string Secret, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt = null);
