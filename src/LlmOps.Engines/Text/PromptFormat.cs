using System.Text.Json;

namespace LlmOps.Engines.Text;

/// <summary>
/// How one model wants its prompts: by this product's own template where its tokenizer was made here, by the chat template of its folder, or, for a base model without
/// one, as plain text. Control tokens that somebody typed into a message stay plain characters in every case.
/// </summary>
public sealed partial class PromptFormat
{
    private readonly Tokenizer tokenizer;
    private readonly ChatTemplate? template;
    private readonly bool own;

    private PromptFormat(Tokenizer tokenizer, ChatTemplate? template, bool own) => (this.tokenizer, this.template, this.own) = (tokenizer, template, own);

    /// <summary>Whether the model was trained on conversations, as far as its folder says.</summary>
    public bool HasTemplate => own || template is not null;

    /// <summary>Reads the chat template of a model folder.</summary>
    /// <exception cref="InvalidModelException">The template is malformed.</exception>
    /// <exception cref="UnsupportedModelException">The template uses what is not supported.</exception>
    public static PromptFormat Load(string folder, Tokenizer tokenizer)
    {
        var template = ChatTemplate.Load(folder);
        var own = tokenizer.HasOwnControlTokens && template is null or { Text: PromptTemplate.Jinja };
        return new(tokenizer, own ? null : template, own);
    }

    /// <summary>A document on its own, with what the tokenizer puts around it.</summary>
    public int[] Document(string text) => own ? PromptTemplate.Document(tokenizer, text) : tokenizer.Encode(text, specials: false, addSpecial: true);

    /// <summary>A question, up to the place where the model answers.</summary>
    public int[] Prompt(string prompt) => own ? PromptTemplate.Prompt(tokenizer, prompt)
        : template is null ? tokenizer.Encode(prompt, specials: false, addSpecial: true)
        : Chat([new("user", prompt)]);

    /// <summary>An answer, with the token that ends it where the tokenizer names one; to be put after <see cref="Prompt"/>.</summary>
    public int[] Completion(string completion) => tokenizer.EosId is { } end ? [.. tokenizer.Encode(completion), end] : tokenizer.Encode(completion);

    /// <summary>A conversation; when the user spoke last, up to the place where the model answers.</summary>
    /// <param name="turns">At least one.</param>
    /// <param name="now">For templates that write the date.</param>
    /// <exception cref="ArgumentException">There is no turn, or the template refuses the conversation; the message is its own.</exception>
    /// <exception cref="UnsupportedModelException">The model has no chat template and the conversation has several turns.</exception>
    public int[] Chat(IReadOnlyList<ChatTurn> turns, DateTimeOffset now = default)
    {
        if (own)
            return PromptTemplate.Chat(tokenizer, turns);
        if (turns.Count == 0)
            throw new ArgumentException("A conversation needs at least one turn.", nameof(turns));
        if (template is null)
            return turns.Count == 1 ? Prompt(turns[0].Content) : throw new UnsupportedModelException("This model has no chat template: it continues one text and holds no conversation.");
        var rendered = template.Render(new ChatInput(turns) { AddGenerationPrompt = turns[^1].Role == "user", Now = now == default ? DateTimeOffset.UnixEpoch : now });
        return tokenizer.Encode(rendered);
    }

    /// <summary>Whether the model is told which functions it may call.</summary>
    public bool TakesTools => template?.ReadsTools == true;

    /// <summary>A conversation with all that the model's template reads, up to the place where the model answers.</summary>
    /// <remarks>
    /// A format that knows no system message gets it before the first thing that the user says, with an empty line between them: clients send one whatever the model is.
    /// </remarks>
    /// <exception cref="ArgumentException">There is no turn, a message has no text where one is needed, or the template refuses the conversation; the message is its own.</exception>
    /// <exception cref="UnsupportedModelException">Tools were given to a model that is not told of them, or the model has no chat template and the conversation has several turns.</exception>
    public int[] Chat(ChatInput input)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (input.Tools is { ValueKind: JsonValueKind.Array } tools && tools.GetArrayLength() > 0 && !TakesTools)
            throw new UnsupportedModelException("This model's chat template has no place for tools. Leave 'tools' out, or ask a model that was trained to call them.");
        if (template is not null)
            return tokenizer.Encode(template.Render(input));
        var turns = WithoutSystem(input.Messages);
        return turns is [.., { Role: "user" }] ? Chat(turns, input.Now) : throw new ArgumentException("The model answers what the user says: the last message has to be the user's.", nameof(input));
    }

    private static List<ChatTurn> WithoutSystem(JsonElement messages)
    {
        var (turns, system) = (new List<ChatTurn>(), "");
        foreach (var message in messages.EnumerateArray())
        {
            var (role, content) = (message.GetProperty("role").GetString() ?? "", message.TryGetProperty("content", out var text) && text.ValueKind == JsonValueKind.String ? text.GetString()! : "");
            if (role == "system")
            {
                system += content + "\n\n";
                continue;
            }
            turns.Add(new(role, role == "user" ? system + content : content));
            if (role == "user")
                system = "";
        }
        return turns;
    }
}
