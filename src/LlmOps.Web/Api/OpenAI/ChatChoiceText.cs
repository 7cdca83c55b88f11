using LlmOps.Engines.Inference;
using LlmOps.Engines.Text;

namespace LlmOps.Web.Api.OpenAI;

/// <summary>What became certain with a token.</summary>
public sealed record ChatDelta(string Content, IReadOnlyList<ContentLogProbability> LogProbabilities, IReadOnlyList<ToolCall> Calls, string? FinishReason);

/// <summary>One choice while it is made. Probabilities come with the text that their tokens became; those of a stop text are left out as it is.</summary>
public sealed class ChatChoiceText(Tokenizer tokenizer, Tools tools, bool logProbabilities)
{
    private readonly ToolCallReader reader = new(tools);
    private List<ContentLogProbability> pending = [];

    public ChatDelta Add(GeneratedToken token)
    {
        if (logProbabilities && token.Finish != FinishReason.EndOfText)
            pending.Add(LogProbabilities.Of(tokenizer, token));
        var content = reader.Push(token.Text);
        IReadOnlyList<ToolCall> calls = [];
        if (token.Finish is not null)
        {
            (var rest, calls) = reader.Finish();
            content += rest;
        }
        var certain = content.Length > 0 || (token.Finish is not null and not FinishReason.Stop) ? Take() : [];
        return new(content, certain, calls, token.Finish is null ? null : calls.Count > 0 ? "tool_calls" : token.Finish.Words());
    }

    private List<ContentLogProbability> Take()
    {
        var taken = pending;
        pending = [];
        return taken;
    }
}
