namespace LlmOps.Engines.Text.Templates;

/// <summary>The messages of everything that can be wrong with a template; each names its line.</summary>
internal static class TemplateError
{
    public static InvalidModelException Invalid(int line, string message) => new($"Chat template, line {line}: {message}");

    public static UnsupportedModelException Unsupported(int line, string message) => new($"Chat template, line {line}: {message}");
}
