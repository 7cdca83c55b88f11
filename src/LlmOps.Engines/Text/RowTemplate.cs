using System.Text.Json;
using LlmOps.Engines.Text.Templates;

namespace LlmOps.Engines.Text;

/// <summary>
/// A Jinja template over the fields of one data row, as evaluation suites write their prompts: <c>Question: {{ question }}</c>. The language is that of
/// <see cref="ChatTemplate"/>; a field that the row does not have is an error instead of an empty text, and a line break at the end is kept.
/// Safe for use on many threads.
/// </summary>
public sealed class RowTemplate
{
    private readonly IReadOnlyList<Statement> body;

    private RowTemplate(string text)
    {
        Text = text;
        // Jinja drops one line break at the end; a prompt that ends with one means it.
        body = Translate(() => TemplateParser.Parse(text.EndsWith('\n') ? text + "\n" : text));
    }

    /// <summary>The template as it was written.</summary>
    public string Text { get; }

    /// <summary>Reads a template.</summary>
    /// <exception cref="ArgumentException">The template is malformed or uses what is not supported; the message names the line.</exception>
    public static RowTemplate Parse(string text) => new(text);

    /// <summary>The text for one row.</summary>
    /// <param name="row">A JSON object; its properties are the template's variables.</param>
    /// <exception cref="ArgumentException">A field is missing, or a value cannot be used as the template does; the message names the line.</exception>
    public string Render(JsonElement row) => Translate(() =>
    {
        var (run, scope) = Start(row);
        Statement.RunAll(body, run, scope);
        return run.Output.ToText().Text;
    });

    /// <summary>The value of a template that is one expression (<c>{{ choices }}</c>, <c>{{ [a, b] }}</c>) as a list of texts; null when it is no list.</summary>
    /// <inheritdoc cref="Render" path="/param|/exception"/>
    public IReadOnlyList<string>? Items(JsonElement row) => Translate(() =>
    {
        if (body is not [Print print])
            return null;
        var (run, scope) = Start(row);
        return print.Printed.Value(run, scope) switch
        {
            Undefined { Name: var name } => throw run.Fail($"'{name}' has no value."),
            List<object?> list => (IReadOnlyList<string>)[.. list.Select(v => TemplateValue.ToText(run, v).Text)],
            _ => null,
        };
    });

    private static (Execution Run, Scope Scope) Start(JsonElement row)
    {
        if (row.ValueKind != JsonValueKind.Object)
            throw new ArgumentException("A row is a JSON object.", nameof(row));
        var scope = Globals.Make();
        foreach (var field in row.EnumerateObject())
            scope.Set(field.Name, TemplateValue.From(field.Value, Marks.Content));
        return (new Execution(DateTimeOffset.UnixEpoch) { IsStrict = true }, scope);
    }

    private static T Translate<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (e is InvalidModelException or UnsupportedModelException or InvalidOperationException)
        {
            throw new ArgumentException((e is InvalidOperationException ? e.InnerException ?? e : e).Message.Replace("Chat template", "Template", StringComparison.Ordinal), e);
        }
    }
}
