using System.Text.Json;
using System.Text.RegularExpressions;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Text.Templates;

namespace LlmOps.Engines.Text;

/// <summary>
/// A model's <c>chat_template</c>: Jinja as transformers sets it up (<c>trim_blocks</c>, <c>lstrip_blocks</c>, loop controls, <c>generation</c> blocks, lists that
/// cannot be changed). A template reaches nothing but the values given to it, and its work and output are limited. Safe for use on many threads.
/// </summary>
public sealed partial class ChatTemplate
{
    private const int MaxLength = 512 << 10;
    private const string ConfigFile = "tokenizer_config.json";

    private static readonly string[] TokenNames = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    // Parts of control tokens in some templates, so they are not content: '<|' + role + '|>'.
    private static readonly string[] Roles = ["system", "user", "assistant", "tool", "developer", "function", "ipython", "model", "context", "observation"];

    private readonly IReadOnlyList<Statement> body;
    private readonly IReadOnlyDictionary<string, string> tokens;
    private readonly ChatTemplate? forTools;

    private ChatTemplate(string text, IReadOnlyDictionary<string, string> tokens, ChatTemplate? forTools)
    {
        if (text.Length > MaxLength)
            throw new UnsupportedModelException($"The chat template is longer than {MaxLength} characters.");
        (Text, body, this.tokens, this.forTools) = (text, TemplateParser.Parse(text), tokens, forTools);
    }

    /// <summary>The template as it was written.</summary>
    public string Text { get; }

    /// <summary>Whether it tells the model which functions may be called: it reads the variable <c>tools</c>, or the model has a template of its own for them.</summary>
    public bool ReadsTools => forTools is not null || ToolsVariable().IsMatch(Text);

    /// <summary>Reads the template of a model folder: <c>chat_template.jinja</c>, else <c>chat_template.json</c>, else <c>tokenizer_config.json</c>; null when there is none.</summary>
    /// <remarks>Of several named templates <c>default</c> is taken, and <c>tool_use</c> when tools are given.</remarks>
    /// <exception cref="InvalidModelException">A file or the template is malformed; the message names the line.</exception>
    /// <exception cref="UnsupportedModelException">The template uses what is not supported.</exception>
    public static ChatTemplate? Load(string folder)
    {
        var config = File.Exists(Path.Combine(folder, ConfigFile)) ? ConfigJson.Open(folder, ConfigFile) : null;
        var named = Named(folder, config);
        if (named.Count == 0)
            return null;
        var tokens = Tokens(folder, config);
        var main = named.TryGetValue("default", out var text) ? text
            : named.Count == 1 ? named.Values.First()
            : throw new InvalidModelException($"The model has the chat templates {string.Join(", ", named.Keys)}, but none named default.");
        return new ChatTemplate(main, tokens, named.TryGetValue("tool_use", out var tools) && tools != main ? new ChatTemplate(tools, tokens, null) : null);
    }

    /// <summary>Reads a template.</summary>
    /// <param name="text">Jinja.</param>
    /// <param name="tokens">Control tokens that the template names, for example <c>bos_token</c>.</param>
    /// <exception cref="InvalidModelException">The template is malformed; the message names the line.</exception>
    /// <exception cref="UnsupportedModelException">The template uses what is not supported.</exception>
    public static ChatTemplate Parse(string text, IReadOnlyDictionary<string, string>? tokens = null) =>
        new(text, tokens ?? new Dictionary<string, string>(), null);

    /// <summary>Renders a conversation.</summary>
    /// <exception cref="ArgumentException">The template refuses the conversation with <c>raise_exception</c> (the message is the template's), or a value is no valid text.</exception>
    /// <exception cref="InvalidModelException">The template does with a value what cannot be done; the message names the line.</exception>
    /// <exception cref="UnsupportedModelException">Rendering takes too many steps, too much text or too deep calls.</exception>
    public RenderedChat Render(ChatInput input)
    {
        ArgumentNullException.ThrowIfNull(input);
        if (forTools is not null && input.Tools is { ValueKind: JsonValueKind.Array } tools && tools.GetArrayLength() > 0)
            return forTools.Render(input);
        var run = new Execution(input.Now);
        try
        {
            Statement.RunAll(body, run, new Scope(Variables(input)));
        }
        // A comparison that fails inside a sort arrives wrapped.
        catch (InvalidOperationException e) when (e.InnerException is InvalidModelException or UnsupportedModelException)
        {
            throw e.InnerException is UnsupportedModelException ? new UnsupportedModelException(e.InnerException.Message, e) : new InvalidModelException(e.InnerException.Message, e);
        }
        return new RenderedChat(run.Output.ToText());
    }

    private Scope Variables(ChatInput input)
    {
        var scope = Globals.Make();
        foreach (var (name, token) in tokens)
            scope.Set(name, new MarkedText(token));
        try
        {
            foreach (var (name, value) in input.Variables)
                scope.Set(name, TemplateValue.From(value, Marks.Content));
            scope.Set("messages", Messages(input.Messages));
            scope.Set("tools", input.Tools is { } tools ? TemplateValue.From(tools, Marks.Content) : null);
            scope.Set("documents", input.Documents is { } documents ? TemplateValue.From(documents, Marks.Content) : null);
        }
        // Valid JSON may still escape half of a surrogate pair, which is no text.
        catch (InvalidOperationException e)
        {
            throw new ArgumentException("A text of the conversation holds half of a surrogate pair.", nameof(input), e);
        }
        scope.Set("add_generation_prompt", input.AddGenerationPrompt);
        return scope;
    }

    private static List<object?> Messages(JsonElement messages)
    {
        if (messages.ValueKind != JsonValueKind.Array)
            throw new ArgumentException("The messages of a conversation must be a list.");
        var result = new List<object?>();
        foreach (var (i, message) in messages.EnumerateArray().Index())
        {
            if (TemplateValue.From(message, Marks.Content) is not TemplateDictionary values || !values.TryGet("role", out var role) || role is not MarkedText name)
                throw new ArgumentException($"Message {i + 1} must be an object with a role.");
            if (Roles.Contains(name.Text))
                values.Set("role", new MarkedText(name.Text));
            result.Add(values);
        }
        return result;
    }

    private static Dictionary<string, string> Named(string folder, ConfigJson? config)
    {
        var named = new Dictionary<string, string>(StringComparer.Ordinal);
        var file = Path.Combine(folder, "chat_template.jinja");
        if (File.Exists(file))
            named["default"] = File.ReadAllText(file);
        else if (File.Exists(Path.ChangeExtension(file, ".json")))
            Add(named, ConfigJson.Open(folder, "chat_template.json").Find("chat_template"), "chat_template.json");
        else
            Add(named, config?.Find("chat_template"), ConfigFile);
        var more = Path.Combine(folder, "additional_chat_templates");
        foreach (var other in Directory.Exists(more) ? Directory.EnumerateFiles(more, "*.jinja").Order(StringComparer.Ordinal) : Enumerable.Empty<string>())
            named[Path.GetFileNameWithoutExtension(other)] = File.ReadAllText(other);
        return named;
    }

    private static void Add(Dictionary<string, string> named, JsonElement? template, string file)
    {
        if (template is not { } value)
            return;
        foreach (var one in value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : Enumerable.Empty<JsonElement>())
            named[Text(one, "name")] = Text(one, "template");
        if (value.ValueKind == JsonValueKind.String)
            named["default"] = value.GetString()!;
        else if (value.ValueKind != JsonValueKind.Array)
            throw new InvalidModelException($"{file}: chat_template must be text or a list of named templates.");

        string Text(JsonElement one, string name) =>
            one.ValueKind == JsonValueKind.Object && one.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString()!
            : throw new InvalidModelException($"{file}: each chat_template of a list needs the texts name and template.");
    }

    private static Dictionary<string, string> Tokens(string folder, ConfigJson? config)
    {
        const string mapFile = "special_tokens_map.json";
        var map = File.Exists(Path.Combine(folder, mapFile)) ? ConfigJson.Open(folder, mapFile) : null;
        var tokens = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var name in TokenNames)
        {
            if ((config?.Find(name) ?? map?.Find(name)) is not { } value)
                continue;
            if (value.ValueKind == JsonValueKind.Object && value.TryGetProperty("content", out var content))
                value = content;
            tokens[name] = value.ValueKind == JsonValueKind.String ? value.GetString()! : throw new InvalidModelException($"{ConfigFile}: {name} is {value.GetRawText()}; expected text.");
        }
        return tokens;
    }

    [GeneratedRegex(@"\btools\b")]
    private static partial Regex ToolsVariable();
}
