using LlmOps.Lifecycle.Deployments;

namespace LlmOps.Web.Api.OpenAI;

/// <summary>What all pieces of an answer have in common.</summary>
public sealed record AnswerHead(string Id, long Created, string Model, ServingRevision Revision)
{
    public const string RevisionHeader = "x-llmops-revision";
    public const string TraceHeader = "x-llmops-trace";
    public const string IndexHeader = "x-llmops-index";

    /// <summary>Changes when the weights behind the name do.</summary>
    public string Fingerprint => Revision.VariantDigest.Length > 12 ? $"fp_{Revision.VariantDigest[^12..]}" : "";

    public void Announce(HttpContext http, string traceId)
    {
        http.Response.Headers[RevisionHeader] = Revision.Name;
        http.Response.Headers[TraceHeader] = traceId;
        if (Revision.Index is { } index)
            http.Response.Headers[IndexHeader] = index;
    }

    public ChatCompletion Whole(IReadOnlyList<ChatChoice> choices, Usage usage) => new(Id, Created, Model, choices, usage, Fingerprint);

    public ChatChunk Chunk(params IReadOnlyList<ChunkChoice> choices) => new(Id, Created, Model, choices, Fingerprint);
}

/// <summary>Sends a chat answer piece by piece: the role first, then text as it becomes certain, then why it ended.</summary>
public sealed class ChatStream(AnswerHead answer, EventStream events)
{
    private readonly HashSet<int> begun = [];

    public async Task SendAsync(int choice, ChatDelta delta, bool logProbabilities)
    {
        if (begun.Add(choice))
            await SendAsync(choice, new Delta { Role = "assistant", Content = "" }, null, null);
        if (delta.Content.Length > 0 || (logProbabilities && delta.LogProbabilities.Count > 0))
            await SendAsync(choice, new Delta { Content = delta.Content }, logProbabilities ? new(delta.LogProbabilities) : null, null);
        foreach (var call in delta.Calls)
            await SendAsync(choice, new Delta { ToolCalls = [call] }, null, null);
        if (delta.FinishReason is not null)
            await SendAsync(choice, new Delta(), null, delta.FinishReason);
    }

    public async Task EndAsync(Usage? usage)
    {
        if (usage is not null)
            await events.SendAsync(answer.Chunk([]) with { Usage = usage });
        await events.EndAsync();
    }

    private Task SendAsync(int choice, Delta delta, ChatLogProbabilities? logProbabilities, string? finish) => events.SendAsync(answer.Chunk(new ChunkChoice(choice, delta, logProbabilities, finish)));
}
