namespace LlmOps.Engines.Text.Tokenization;

/// <summary>A tree of the characters of many texts.</summary>
internal sealed class CharacterTrie
{
    public const int Root = 0;
    private readonly Dictionary<long, int> edges = [];
    private readonly List<int> values = [-1];

    /// <summary>Stores a text that is not empty; of equal ones the last value counts.</summary>
    public void Add(string text, int value)
    {
        var node = Root;
        foreach (var c in text)
        {
            if (!edges.TryGetValue(Edge(node, c), out var child))
            {
                edges[Edge(node, c)] = child = values.Count;
                values.Add(-1);
            }
            node = child;
        }
        values[node] = value;
    }

    /// <summary>Follows a character.</summary>
    public bool Next(int node, char c, out int child) => edges.TryGetValue(Edge(node, c), out child);

    /// <summary>Value of the text that ends in a node, -1 when none does.</summary>
    public int ValueAt(int node) => values[node];

    private static long Edge(int node, char c) => ((long)node << 16) | c;
}
