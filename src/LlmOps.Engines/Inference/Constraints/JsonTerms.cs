using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlmOps.Engines.Inference.Constraints;

/// <summary>JSON's lexical units (RFC 8259) as terms.</summary>
internal sealed class JsonTerms
{
    // Nothing reads longer numbers without loss, and a model that repeats digits must come to an end.
    public const int MaxDigits = 18;

    private const int MaxIndent = 64;

    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly TermPool pool;

    public JsonTerms(TermPool pool, bool whitespace)
    {
        this.pool = pool;
        Digit = pool.Bytes('0', '9');
        Nonzero = pool.Bytes('1', '9');
        Magnitude = pool.Alt(pool.Bytes('0', '0'), pool.Seq(Nonzero, pool.Repeat(Digit, 0, MaxDigits - 1)));
        Fraction = pool.Optional(pool.Seq(Text("."), pool.Repeat(Digit, 1, MaxDigits)));
        Minus = pool.Optional(Text("-"));
        AnyChar = pool.Alt(PlainChars([(0, CodePoints.Last)]), AnyEscape());
        PlainChar = PlainChars([(0, CodePoints.Last)]);
        AnyString = String(pool.Repeat(AnyChar, 0, TermPool.Unlimited));
        Space = !whitespace ? pool.Empty : pool.Alt(pool.Empty, Text(" "),
            pool.Seq(Text("\n"), pool.Alt(pool.Repeat(Text(" "), 0, MaxIndent), pool.Repeat(Text("\t"), 0, MaxIndent / 4))));
    }

    public Term Digit { get; }
    public Term Nonzero { get; }
    public Term Minus { get; }

    /// <summary>A whole number without sign.</summary>
    public Term Magnitude { get; }

    /// <summary>A point with digits, or nothing.</summary>
    public Term Fraction { get; }

    /// <summary>One character of a string in any of its forms, escapes included.</summary>
    public Term AnyChar { get; }

    /// <summary>One character of a string in its shortest form, so that different texts have different characters.</summary>
    public Term PlainChar { get; }

    public Term AnyString { get; }

    /// <summary>Where JSON allows white space: nothing, a space, or a line break with an indentation.</summary>
    public Term Space { get; }

    public Term Integer => pool.Atom(pool.Seq(Minus, Magnitude));

    public Term Number => pool.Atom(pool.Seq(Minus, Magnitude, Fraction,
        pool.Optional(pool.Seq(Bytes("eE"), pool.Optional(Bytes("+-")), pool.Repeat(Digit, 1, 2)))));

    public Term Text(string text) => pool.Literal(Encoding.UTF8.GetBytes(text));

    /// <summary>A string, as one unit.</summary>
    public Term String(Term chars) => pool.Atom(pool.Seq(Text("\""), chars, Text("\"")));

    /// <summary>A value in its one compact form.</summary>
    public static byte[] Compact(JsonElement value) => JsonSerializer.SerializeToUtf8Bytes(value, Relaxed);

    public static byte[] Compact(string value) => JsonSerializer.SerializeToUtf8Bytes(value, Relaxed);

    /// <summary>Characters in their shortest form inside a string.</summary>
    public Term PlainChars(IReadOnlyList<(int First, int Last)> ranges)
    {
        var parts = new List<Term>();
        foreach (var (first, last) in ranges)
        {
            for (var c = first; c <= Math.Min(last, '\\'); c++)
                if (c is < ' ' or '"' or '\\')
                    parts.Add(Text(Escape((char)c)));
            AddRaw(parts, Math.Max(first, ' '), Math.Min(last, '"' - 1));
            AddRaw(parts, Math.Max(first, '"' + 1), Math.Min(last, '\\' - 1));
            AddRaw(parts, Math.Max(first, '\\' + 1), last);
        }
        return pool.Alt([.. parts]);
    }

    private void AddRaw(List<Term> parts, int first, int last)
    {
        if (first <= last)
            parts.Add(CodePoints.Utf8(pool, first, last));
    }

    private static string Escape(char c) => c switch
    {
        '"' => "\\\"",
        '\\' => "\\\\",
        '\b' => "\\b",
        '\f' => "\\f",
        '\n' => "\\n",
        '\r' => "\\r",
        '\t' => "\\t",
        _ => $"\\u{(int)c:x4}",
    };

    // Half of a surrogate pair alone is no text, so both halves come together.
    private Term AnyEscape()
    {
        var hex = Bytes("0123456789abcdefABCDEF");
        var plain = pool.Alt(pool.Seq(Bytes("0123456789abcefABCEF"), hex, hex, hex), pool.Seq(Bytes("dD"), pool.Bytes('0', '7'), hex, hex));
        var pair = pool.Seq(Bytes("dD"), Bytes("89abAB"), hex, hex, Text("\\u"), Bytes("dD"), Bytes("cdefCDEF"), hex, hex);
        return pool.Seq(Text("\\"), pool.Alt(Bytes("\"\\/bfnrt"), pool.Seq(Text("u"), pool.Alt(plain, pair))));
    }

    private Term Bytes(string any) => pool.Bytes(ByteSet.Of(Encoding.ASCII.GetBytes(any)));
}
