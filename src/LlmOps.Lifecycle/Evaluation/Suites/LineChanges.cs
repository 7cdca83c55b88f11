namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <param name="Sign">'+', '−' or ' '.</param>
public sealed record LineChange(char Sign, string Text);

/// <summary>Lines that were added and taken away, by the longest common subsequence.</summary>
public static class LineChanges
{
    // Beyond this the table of the comparison would take more memory than the answer is worth; a suite with so many lines has its rows inside.
    private const int MostLines = 3000;

    public static IReadOnlyList<LineChange> Between(string before, string after)
    {
        string[] a = before.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n'), b = after.ReplaceLineEndings("\n").TrimEnd('\n').Split('\n');
        if (a.Length > MostLines || b.Length > MostLines)
            return [.. a.Except(b).Select(l => new LineChange('−', l)), .. b.Except(a).Select(l => new LineChange('+', l))];
        var common = new int[a.Length + 1, b.Length + 1];
        for (var i = a.Length - 1; i >= 0; i--)
            for (var j = b.Length - 1; j >= 0; j--)
                common[i, j] = a[i] == b[j] ? common[i + 1, j + 1] + 1 : Math.Max(common[i + 1, j], common[i, j + 1]);
        var changes = new List<LineChange>();
        for (int i = 0, j = 0; i < a.Length || j < b.Length;)
            if (i < a.Length && j < b.Length && a[i] == b[j])
                (changes, i, j) = (Add(' ', a[i]), i + 1, j + 1);
            else if (i < a.Length && (j == b.Length || common[i + 1, j] >= common[i, j + 1]))
                (changes, i) = (Add('−', a[i]), i + 1);
            else
                (changes, j) = (Add('+', b[j]), j + 1);
        return changes;

        List<LineChange> Add(char sign, string text)
        {
            changes.Add(new(sign, text));
            return changes;
        }
    }
}
