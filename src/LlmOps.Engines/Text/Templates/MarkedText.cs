using System.Text;

namespace LlmOps.Engines.Text.Templates;

/// <summary>Where a stretch of text comes from.</summary>
[Flags]
internal enum Marks : byte
{
    /// <summary>The template.</summary>
    None = 0,
    /// <summary>Messages, tools or other values given by the caller.</summary>
    Content = 1,
    /// <summary>A <c>generation</c> block: what the assistant says.</summary>
    Assistant = 2,
}

/// <summary>A text that remembers where each of its parts comes from, through concatenation and cutting.</summary>
internal sealed class MarkedText
{
    // Ends and marks of consecutive runs that cover the text.
    private readonly (int End, Marks Marks)[] runs;

    private MarkedText(string text, (int, Marks)[] runs) => (Text, this.runs) = (text, runs);

    public MarkedText(string text, Marks marks = Marks.None) : this(text, [(text.Length, marks)])
    {
    }

    public static MarkedText Empty { get; } = new("");

    public string Text { get; }

    public int Length => Text.Length;

    public IReadOnlyList<(int End, Marks Marks)> Runs => runs;

    /// <summary>All marks that occur.</summary>
    public Marks All => runs.Aggregate(Marks.None, (all, r) => all | r.Marks);

    public MarkedText Slice(int start, int length)
    {
        if (start == 0 && length == Length)
            return this;
        if (runs.Length == 1)
            return new MarkedText(Text.Substring(start, length), runs[0].Marks);
        var part = new Builder();
        part.Append(this, start, length);
        return part.ToText();
    }

    /// <summary>The same marks on a text of the same length, for changes of case; otherwise all marks on all of it.</summary>
    public MarkedText WithText(string text) => text.Length == Length ? new MarkedText(text, runs) : new MarkedText(text, All);

    public override string ToString() => Text;

    internal sealed class Builder
    {
        private readonly StringBuilder text = new();
        private readonly List<(int End, Marks Marks)> runs = [];

        public int Length => text.Length;

        public void Append(MarkedText t, Marks added = Marks.None) => Append(t, 0, t.Length, added);

        public void Append(MarkedText t, int start, int length, Marks added = Marks.None)
        {
            var (at, end) = (start, start + length);
            foreach (var (runEnd, marks) in t.runs)
            {
                if (at >= end)
                    break;
                var stop = Math.Min(runEnd, end);
                if (stop <= at)
                    continue;
                text.Append(t.Text, at, stop - at);
                if (runs.Count > 0 && runs[^1].Marks == (marks | added))
                    runs[^1] = (text.Length, marks | added);
                else
                    runs.Add((text.Length, marks | added));
                at = stop;
            }
        }

        public MarkedText ToText() => text.Length == 0 ? Empty : new MarkedText(text.ToString(), [.. runs]);
    }
}
