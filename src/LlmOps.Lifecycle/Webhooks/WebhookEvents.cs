using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Webhooks;

/// <summary>What webhooks can be told.</summary>
public sealed record WebhookEventType(string Name, string Meaning, string? MlflowEntity = null, string? MlflowAction = null);

/// <summary>The closed list of events, and the one way to write them: into the change that is being saved, so that neither is there without the other.</summary>
public static class WebhookEvents
{
    public const string ModelCreated = "registered_model.created";
    public const string VersionCreated = "model_version.created";
    public const string AliasSet = "model_version.alias.set";
    public const string AliasDeleted = "model_version.alias.deleted";
    public const string TagSet = "model_version.tag.set";
    public const string TagDeleted = "model_version.tag.deleted";
    public const string ApprovalRequested = "approval.requested";
    public const string ApprovalSigned = "approval.signed";
    public const string ApprovalClosed = "approval.closed";
    public const string GateDecided = "gate.decided";
    public const string EvaluationFinished = "evaluation.finished";
    public const string DeploymentChanged = "deployment.changed";
    public const string DeploymentDrifted = "deployment.drifted";
    public const string JobFailed = "job.failed";
    public const string DatasetVersionCreated = "dataset_version.created";

    public static IReadOnlyList<WebhookEventType> All { get; } =
    [
        new(ModelCreated, "A model was registered.", "REGISTERED_MODEL", "CREATED"),
        new(VersionCreated, "A version of a model was registered.", "MODEL_VERSION", "CREATED"),
        new(AliasSet, "An alias moved to a version.", "MODEL_VERSION_ALIAS", "CREATED"),
        new(AliasDeleted, "An alias was taken away.", "MODEL_VERSION_ALIAS", "DELETED"),
        new(TagSet, "A version got a tag, or another value of it.", "MODEL_VERSION_TAG", "SET"),
        new(TagDeleted, "A tag of a version was taken away.", "MODEL_VERSION_TAG", "DELETED"),
        new(ApprovalRequested, "Somebody asked for an alias to move."),
        new(ApprovalSigned, "Somebody signed or rejected a request."),
        new(ApprovalClosed, "A request was approved, rejected, withdrawn, voided or ran out."),
        new(GateDecided, "The gate judged a variant."),
        new(EvaluationFinished, "A variant was measured with a suite."),
        new(DeploymentChanged, "A deployment got a revision, or its traffic moved."),
        new(DeploymentDrifted, "What a deployment is asked or answers differs from its past."),
        new(JobFailed, "A job failed for good."),
        new(DatasetVersionCreated, "A version of a dataset was made."),
    ];

    /// <summary>What an endpoint is told at most: MLflow's receivers know only MLflow's entities.</summary>
    public static IEnumerable<WebhookEventType> Of(string profile) => profile == WebhookProfiles.Mlflow ? All.Where(e => e.MlflowEntity is not null) : All;

    public static bool Matches(string pattern, string type) =>
        pattern == "*" || pattern == type || (pattern.EndsWith(".*", StringComparison.Ordinal) && type.StartsWith(pattern[..^1], StringComparison.Ordinal));

    /// <summary>The patterns, each once; at least one, and none that no event matches.</summary>
    public static List<string> Parse(IReadOnlyList<string> patterns, string profile)
    {
        var known = Of(profile).Select(e => e.Name).ToList();
        var asked = patterns.Select(p => p.Trim()).Where(p => p.Length > 0).Distinct(StringComparer.Ordinal).ToList();
        if (asked.Count == 0)
            throw LlmOpsException.Invalid("The webhook is told nothing. Name at least one event, or '*' for all.");
        if (asked.FirstOrDefault(p => !known.Any(k => Matches(p, k))) is { } unknown)
            throw LlmOpsException.Invalid($"'{unknown}' is no event of the profile {profile}. Events: {string.Join(", ", known)}; or '*', or a beginning such as 'approval.*'.");
        return asked;
    }

    /// <param name="tell">What it is about, as people name it ("lexicon/3"), and thin data: names and numbers to read the rest by. Asked only when somebody listens.</param>
    public static async Task AnnounceAsync(this LlmOpsDb db, string type, DateTimeOffset now, Func<Task<(string Subject, object Data)>> tell, CancellationToken ct)
    {
        var endpoints = await db.WebhookEndpoints.AsNoTracking().Where(e => e.State == EndpointState.Active).Select(e => new { e.Id, e.EventsJson, e.Profile }).ToListAsync(ct);
        var listeners = endpoints.Where(e => Of(e.Profile).Any(k => k.Name == type) && Json.Read<List<string>>(e.EventsJson).Any(p => Matches(p, type))).ToList();
        if (listeners.Count == 0)
            return;
        var (subject, data) = await tell();
        var written = Json.Write(data);
        // Events of one change have one time; their ids keep them in order.
        var earlier = db.ChangeTracker.Entries<WebhookDelivery>().Count();
        foreach (var endpoint in listeners)
            db.WebhookDeliveries.Add(new WebhookDelivery { Id = Guid.CreateVersion7(now.AddMilliseconds(earlier)), EndpointId = endpoint.Id, Type = type, Subject = subject, DataJson = written, NotBefore = now, CreatedAt = now });
    }

    public static Task AnnounceAsync(this LlmOpsDb db, string type, string subject, object data, DateTimeOffset now, CancellationToken ct) => db.AnnounceAsync(type, now, () => Task.FromResult((subject, data)), ct);

    /// <summary>Long texts are cut: a receiver gets a hint and reads the rest here.</summary>
    internal static string? Short(string? text) => text is { Length: > 1000 } ? text[..1000] + "…" : text;
}
