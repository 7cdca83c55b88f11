using LlmOps.Engines.Inference;
using LlmOps.Engines.Inference.Batching;
using LlmOps.Engines.Text;
using LlmOps.Web.Serving;

namespace LlmOps.Web.Api.OpenAI;

/// <summary>Checks what only the loaded model can judge, before anything is computed or sent.</summary>
public static class Prompts
{
    public static PreparedPrompt Chat(BatchedGenerator generator, ChatInput input, SamplingOptions options)
    {
        try
        {
            return Ensured(generator, generator.Format.Chat(input), options, "messages");
        }
        catch (ArgumentException e)
        {
            throw OpenAIException.Invalid(e.Message, "messages");
        }
    }

    public static PreparedPrompt Ensured(BatchedGenerator generator, int[] prompt, SamplingOptions options, string field)
    {
        var context = generator.Config.MaxPositionEmbeddings;
        if (prompt.Length >= context)
            throw OpenAIException.TooLong($"This model's maximum context length is {context} tokens, the answer included; '{field}' has {prompt.Length}. Shorten it.");
        if (prompt.Length == 0)
            throw OpenAIException.Invalid($"'{field}' has no tokens.", field);
        EnsureTokens(prompt, generator.Config.VocabSize, field);
        EnsureTokens(options.LogitBias?.Keys ?? [], generator.Config.VocabSize, "logit_bias");
        return new(prompt, options);
    }

    public static void EnsureTokens(IEnumerable<int> tokens, int vocabulary, string field)
    {
        foreach (var token in tokens)
            if ((uint)token >= (uint)vocabulary)
                throw OpenAIException.Invalid($"'{field}' has the token {token}; the model knows 0 to {vocabulary - 1}.", field);
    }
}
