namespace LlmOps.Engines.Text;

/// <summary>One turn of a conversation.</summary>
/// <param name="Role"><c>user</c> or <c>assistant</c>; templates of other models know further ones, such as <c>system</c>.</param>
/// <param name="Content">What was said.</param>
public sealed record ChatTurn(string Role, string Content);

/// <summary>
/// The only place where prompts are rendered, so that training, evaluation and serving agree to the token:
/// <c>&lt;|bos|&gt;&lt;|user|&gt;{prompt}&lt;|assistant|&gt;{completion}&lt;|eos|&gt;</c>.
/// </summary>
/// <remarks>Texts are encoded between control ids, piece by piece: control tokens typed into a text stay plain characters.</remarks>
public static class PromptTemplate
{
    /// <summary>The same rendering as a Jinja <c>chat_template</c> for Hugging Face.</summary>
    public const string Jinja =
        "{{ bos_token }}{% for message in messages %}" +
        "{% if message['role'] == 'user' %}{{ '<|user|>' + message['content'] }}" +
        "{% elif message['role'] == 'assistant' %}{{ '<|assistant|>' + message['content'] + eos_token }}" +
        "{% else %}{{ raise_exception('Only the roles user and assistant are supported.') }}{% endif %}{% endfor %}" +
        "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

    private const int BosId = 1;
    private const int EosId = 2;
    private const int UserId = 3;
    private const int AssistantId = 4;

    /// <summary>A document for pretraining: bos, text, eos.</summary>
    public static int[] Document(Tokenizer t, string text) => [Bos(t), .. t.Encode(text), EosId];

    /// <summary>A question, up to the place where the model answers.</summary>
    public static int[] Prompt(Tokenizer t, string prompt) => [Bos(t), UserId, .. t.Encode(prompt), AssistantId];

    /// <summary>An answer, with the eos that ends it; to be put after <see cref="Prompt"/>.</summary>
    public static int[] Completion(Tokenizer t, string completion) => [.. t.Encode(completion), EosId];

    /// <summary>A conversation; when the user spoke last, up to the place where the model answers.</summary>
    /// <exception cref="ArgumentException">There is no turn, or a role is neither <c>user</c> nor <c>assistant</c>.</exception>
    public static int[] Chat(Tokenizer t, IReadOnlyList<ChatTurn> turns)
    {
        var ids = Labelled(t, turns, 0).Ids;
        return turns[^1].Role == "user" ? [.. ids, AssistantId] : ids;
    }

    /// <summary>A conversation to learn from: the words of the assistant and the eos after them are labelled, from turn <paramref name="given"/> on.</summary>
    /// <exception cref="ArgumentException">There is no turn, or a role is neither <c>user</c> nor <c>assistant</c>.</exception>
    internal static LabelledTokens Labelled(Tokenizer t, IReadOnlyList<ChatTurn> turns, int given)
    {
        if (turns.Count == 0)
            throw new ArgumentException("A conversation needs at least one turn.", nameof(turns));
        var (ids, labelled) = (new List<int> { Bos(t) }, new List<bool> { false });
        foreach (var (i, turn) in turns.Index())
        {
            var (start, said) = turn.Role switch
            {
                "user" => (UserId, t.Encode(turn.Content)),
                "assistant" => (AssistantId, Completion(t, turn.Content)),
                _ => throw new ArgumentException($"Role '{turn.Role}' is not supported; supported: user, assistant.", nameof(turns)),
            };
            ids.Add(start);
            labelled.Add(false);
            ids.AddRange(said);
            labelled.AddRange(Enumerable.Repeat(turn.Role == "assistant" && i >= given, said.Length));
        }
        return new LabelledTokens([.. ids], [.. labelled]);
    }

    // Ids 0 to 4 of another tokenizer are ordinary tokens, and the prompt would be nonsense.
    private static int Bos(Tokenizer t) => t.HasOwnControlTokens ? BosId
        : throw new UnsupportedModelException($"The tokenizer does not have this product's control tokens ({string.Join(", ", SpecialTokens.All)}); use the chat template of its model.");
}
