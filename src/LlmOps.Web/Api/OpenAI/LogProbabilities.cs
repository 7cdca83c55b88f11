using System.Text;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Text;

namespace LlmOps.Web.Api.OpenAI;

/// <summary>Probabilities of generated tokens in OpenAI's shape. A token's bytes may be a part of a character, which its text then shows as U+FFFD.</summary>
public static class LogProbabilities
{
    public static ContentLogProbability Of(Tokenizer tokenizer, GeneratedToken token)
    {
        var (text, bytes) = Spelling(tokenizer, token.Id);
        return new(text, token.LogProbability, bytes, [.. (token.Alternatives ?? []).Select(a => Top(tokenizer, a))]);
    }

    public static string Text(Tokenizer tokenizer, int id) => Spelling(tokenizer, id).Text;

    private static TopLogProbability Top(Tokenizer tokenizer, TokenLogProbability alternative)
    {
        var (text, bytes) = Spelling(tokenizer, alternative.Id);
        return new(text, alternative.LogProbability, bytes);
    }

    private static (string Text, int[] Bytes) Spelling(Tokenizer tokenizer, int id)
    {
        var bytes = tokenizer.Bytes(id);
        return (Encoding.UTF8.GetString(bytes), [.. bytes.ToArray().Select(b => (int)b)]);
    }

    public static string Words(this FinishReason? finish) => finish is FinishReason.Length or FinishReason.Context ? "length" : "stop";
}
