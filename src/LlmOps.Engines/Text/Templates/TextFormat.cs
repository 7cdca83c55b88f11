using System.Globalization;

namespace LlmOps.Engines.Text.Templates;

/// <summary>Python's two ways to put values into a text, without widths and precisions.</summary>
internal static class TextFormat
{
    /// <summary><c>'{} {0} {name}'.format(…)</c>.</summary>
    public static MarkedText Braces(Execution run, MarkedText format, Arguments a)
    {
        var result = new MarkedText.Builder();
        var next = 0;
        for (var at = 0; at < format.Length;)
        {
            var c = format.Text[at];
            if (c is not ('{' or '}'))
            {
                var stop = format.Text.AsSpan(at).IndexOfAny('{', '}') is var found && found < 0 ? format.Length : at + found;
                result.Append(format, at, stop - at);
                at = stop;
                continue;
            }
            if (at + 1 < format.Length && format.Text[at + 1] == c)
            {
                result.Append(format, at, 1);
                at += 2;
                continue;
            }
            var end = format.Text.IndexOf('}', at);
            if (c == '}' || end < 0)
                throw run.Fail("format has a brace without its partner.");
            var name = format.Text[(at + 1)..end];
            var text = TemplateValue.ToText(run, Field(run, name, a, ref next));
            run.Spend(text.Length);
            result.Append(text);
            at = end + 1;
        }
        run.Spend(format.Length);
        return result.ToText();
    }

    /// <summary><c>'%s %d' % (…)</c>.</summary>
    public static MarkedText Percent(Execution run, MarkedText format, IReadOnlyList<object?> values)
    {
        var result = new MarkedText.Builder();
        var next = 0;
        for (var at = 0; at < format.Length;)
        {
            var percent = format.Text.IndexOf('%', at);
            var stop = percent < 0 ? format.Length : percent;
            result.Append(format, at, stop - at);
            if (percent < 0)
                break;
            var kind = percent + 1 < format.Length ? format.Text[percent + 1] : ' ';
            if (kind == '%')
            {
                result.Append(format, percent, 1);
            }
            else
            {
                if (kind is not ('s' or 'd' or 'i' or 'r'))
                    throw TemplateError.Unsupported(run.Line, $"%{kind} in a format is not supported; supported: %s, %d, %i, %r, %%.");
                var value = next < values.Count ? values[next++] : throw run.Fail("a format has more places than values.");
                var text = kind == 'r' ? TemplateValue.Represent(run, value)
                    : kind != 's' && value is double d ? new MarkedText(Math.Truncate(d).ToString("F0", CultureInfo.InvariantCulture))
                    : TemplateValue.ToText(run, value);
                run.Spend(text.Length);
                result.Append(text);
            }
            at = percent + 2;
        }
        if (next < values.Count)
            throw run.Fail("a format has fewer places than values.");
        run.Spend(format.Length);
        return result.ToText();
    }

    private static object? Field(Execution run, string name, Arguments a, ref int next)
    {
        if (name.AsSpan().ContainsAny("!:.["))
            throw TemplateError.Unsupported(run.Line, $"the format field {{{name}}} is not supported; supported: {{}}, {{0}}, {{name}}.");
        if (name.Length == 0)
            return next < a.Values.Count ? a.Values[next++] : throw run.Fail("format has more fields than values.");
        if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var index))
            return index < a.Values.Count ? a.Values[index] : throw run.Fail($"format has no value {index}.");
        return a.Named.TryGetValue(name, out var value) ? value : throw run.Fail($"format has no value '{name}'.");
    }
}
