namespace LlmOps.Engines.Text.Templates;

internal enum TokenKind : byte { Text, BlockStart, BlockEnd, ExpressionStart, ExpressionEnd, Name, Number, String, Operator, End }

/// <summary>A piece of a template.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">Its text; of a string, the value.</param>
/// <param name="Line">From 1.</param>
internal readonly record struct TemplateToken(TokenKind Kind, string Text, int Line)
{
    public bool Is(string text) => Kind is TokenKind.Name or TokenKind.Operator && Text == text;

    public override string ToString() => Kind switch
    {
        TokenKind.End => "the end of the template",
        TokenKind.BlockEnd => "%}",
        TokenKind.ExpressionEnd => "}}",
        _ => $"'{(Text.Length > 40 ? Text[..40] + "…" : Text)}'",
    };
}
