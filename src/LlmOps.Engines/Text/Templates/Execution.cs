using System.Runtime.CompilerServices;

namespace LlmOps.Engines.Text.Templates;

/// <summary>A break or continue on its way to its loop.</summary>
internal enum Flow : byte { Next, Break, Continue }

/// <summary>
/// One rendering: what was written, and how much work and text is still allowed, so that no template can hang or fill the memory.
/// </summary>
internal sealed class Execution(DateTimeOffset now)
{
    private const int MaxSteps = 2_000_000;
    private const int MaxCharacters = 64 << 20;
    private const int MaxDepth = 60;

    private long steps;
    private long characters;
    private int depth;

    public DateTimeOffset Now { get; } = now;

    /// <summary>Where the statements write; a block set or a macro writes elsewhere for a while.</summary>
    public MarkedText.Builder Output { get; private set; } = new();

    public Marks Added { get; set; }

    /// <summary>Whether writing a name without a value is an error instead of nothing.</summary>
    public bool IsStrict { get; init; }

    /// <summary>The line of the statement under way, for messages.</summary>
    public int Line { get; set; } = 1;

    public void Step(long count = 1)
    {
        if ((steps += count) > MaxSteps)
            throw TemplateError.Unsupported(Line, $"rendering takes more than {MaxSteps} steps.");
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw TemplateError.Unsupported(Line, "the template is nested too deep.");
    }

    /// <summary>Accounts for text about to be made.</summary>
    public void Spend(long count)
    {
        if ((characters += count) > MaxCharacters)
            throw TemplateError.Unsupported(Line, $"rendering makes more than {MaxCharacters} characters.");
    }

    public void Write(MarkedText text)
    {
        Spend(text.Length);
        Output.Append(text, Added);
    }

    public MarkedText Capture(Action body)
    {
        if (++depth > MaxDepth)
            throw TemplateError.Unsupported(Line, $"calls are nested more than {MaxDepth} deep.");
        var (outer, added) = (Output, Added);
        (Output, Added) = (new MarkedText.Builder(), Marks.None);
        try
        {
            body();
            return Output.ToText();
        }
        finally
        {
            (Output, Added) = (outer, added);
            depth--;
        }
    }

    public Exception Fail(string message) => TemplateError.Invalid(Line, message);
}

/// <summary>Variables, and those around them.</summary>
internal sealed class Scope(Scope? outer)
{
    private readonly Dictionary<string, object?> values = new(StringComparer.Ordinal);

    public object? Find(string name)
    {
        for (var scope = this; scope is not null; scope = scope.Outer)
            if (scope.values.TryGetValue(name, out var value))
                return value;
        return new Undefined(name);
    }

    public void Set(string name, object? value) => values[name] = value;

    private Scope? Outer => outer;
}
