using LlmOps.Engines.Inference;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;

namespace LlmOps.Web.Api.V1;

/// <summary>What every list takes in its address.</summary>
/// <param name="Q">Rows that hold this text.</param>
/// <param name="Sort">A column of the list; unknown ones give its natural order.</param>
public sealed record ListParameters(string? Q = null, string? Sort = null, bool Desc = false, int Skip = 0, int Take = 50)
{
    public int From => Math.Max(0, Skip);
    public int Most => Math.Clamp(Take, 1, Window<int>.Largest);

    public ListQuery ToQuery() => new(Q, Sort, Desc, From, Most);
}

public sealed record DescribeRequest(string Description);

public sealed record AnswerRequest(string Preferred);

public sealed record MarkSucceededRequest(Dictionary<string, string> Outputs);

/// <param name="EvidenceDigest">Digest of the evidence that was read; refused when the request is about other evidence.</param>
public sealed record DecisionRequest(string? Comment, string? EvidenceDigest = null);

public sealed record CommentRequest(string Text);

public sealed record RollbackRequest(string Model, string Alias = "production", string? Reason = null);

public sealed record DelegationRequest(string To, DateTimeOffset StartsAt, DateTimeOffset EndsAt, string Reason);

/// <param name="Reason">Needed for the kind Override.</param>
public sealed record PromotionRequest(string Version, string Variant, string Alias = "production", Lifecycle.Promotion.PromotionKind Kind = Lifecycle.Promotion.PromotionKind.Promotion, string? Reason = null);

/// <param name="Index">For RAG: knowledge base and number of the index, "docs/3".</param>
public sealed record DeployRequest(string Name, DeploymentKind Kind, string Version, string Variant, string? Index = null);

/// <param name="Index">For RAG: knowledge base and number of the index.</param>
/// <param name="Policy">What it is held to; absent values are the usual ones.</param>
public sealed record CanaryRequest(string Version, string Variant, int Percent = 10, string? Index = null, CanaryPolicy? Policy = null);

public sealed record ShadowRequest(int Revision, int Percent);

/// <param name="Shares">Revision number → percent; together 100.</param>
public sealed record TrafficRequest(Dictionary<int, int> Shares);

public sealed record FeedbackRequest(int Score, string? Comment = null);

public sealed record NoteRequest(string Note);

public sealed record EnableRequest(bool Enabled);

public sealed record NewPersonRequest(string UserName, string DisplayName, string[] Roles, string? Password = null);

public sealed record PersonRequest(string[] Roles, bool Disabled);

public sealed record TokenRequest(string Name, Permission[] Scopes, DateTimeOffset? ExpiresAt = null, TokenLimits? Limits = null);

public sealed record AskRequest(string Question, int K = 5);

/// <param name="Stream">Answer with server-sent events: "token" for each piece, "done" with the whole, "error" when it breaks off.</param>
public sealed record ChatRequest(ChatTurn[] Messages, int MaxNewTokens = 128, float Temperature = 0, int TopK = 0, float TopP = 1, float RepetitionPenalty = 1, int? Seed = null, string[]? Stop = null, bool Stream = false)
{
    public SamplingOptions Options => new(MaxNewTokens, Temperature, TopK, TopP, RepetitionPenalty, Seed, Stop);
}

public static class Parsed
{
    /// <summary>One of a few words, or an error that lists them.</summary>
    public static T Word<T>(string? text, string name) where T : struct, Enum =>
        Enum.TryParse<T>(text, ignoreCase: true, out var value) && Enum.IsDefined(value)
            ? value
            : throw LlmOpsException.Invalid($"'{name}' is one of {string.Join(", ", Enum.GetNames<T>().Select(n => n.ToLowerInvariant()))}{(text is null ? "" : $", not '{text}'")}.");
}
