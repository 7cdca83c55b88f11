using System.Text;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>Every token of a tokenizer by id and by spelling.</summary>
internal sealed class TokenTable
{
    // Published vocabularies reserve some dozen ids; a file that asks for more is damaged or hostile.
    private const int MaxReserved = 65536;

    private readonly string?[] tokens;
    private readonly HashSet<int> special;

    /// <param name="vocabulary">Tokens of the model with their ids.</param>
    /// <param name="added">Added tokens; most are in the vocabulary too.</param>
    /// <param name="control">Spellings that are control tokens whatever their entry says.</param>
    /// <exception cref="InvalidModelException">An id belongs to two tokens, or ordinary tokens leave ids out.</exception>
    public TokenTable(IReadOnlyList<KeyValuePair<string, int>> vocabulary, IReadOnlyList<AddedToken> added, IReadOnlySet<string> control)
    {
        var size = vocabulary.Select(v => v.Value).Concat(added.Select(a => a.Id)).DefaultIfEmpty(-1).Max() + 1L;
        if (size <= 0)
            throw new InvalidModelException("The vocabulary is empty.");
        var (known, names) = (vocabulary.Count + added.Count, new HashSet<string>(added.Select(a => a.Content), StringComparer.Ordinal));
        if (size > known + MaxReserved)
            throw new InvalidModelException($"The vocabulary has {known} tokens and an id as high as {size - 1}.");
        tokens = new string[size];
        Ids = new Dictionary<string, int>(known, StringComparer.Ordinal);
        var lastOrdinary = -1;
        foreach (var (token, id) in vocabulary)
        {
            Add(token, id);
            if (!names.Contains(token))
                lastOrdinary = Math.Max(lastOrdinary, id);
        }
        foreach (var token in added)
            Add(token.Content, token.Id);
        // Ids are left out on purpose only among the control tokens at the end.
        if (Array.IndexOf(tokens, null) is var hole && hole >= 0 && hole < lastOrdinary)
            throw new InvalidModelException($"No token has id {hole}.");
        special = [.. added.Where(a => a.Special).Select(a => a.Id), .. control.Where(Ids.ContainsKey).Select(name => Ids[name])];
    }

    /// <summary>Ids by spelling.</summary>
    public Dictionary<string, int> Ids { get; }

    /// <summary>Spellings by id; empty where an id is reserved.</summary>
    public IReadOnlyList<string> Spellings => field ??= [.. tokens.Select(t => t ?? "")];

    public int Count => tokens.Length;

    public IReadOnlySet<int> Special => special;

    public string? this[int id] => tokens[id];

    private void Add(string token, int id)
    {
        if (id < 0)
            throw new InvalidModelException($"Token '{token}' has id {id}.");
        if (tokens[id] is { } other && other != token)
            throw new InvalidModelException($"Id {id} belongs to both '{other}' and '{token}'.");
        // Unigram vocabularies may list a piece twice: the last counts when encoding.
        Ids[token] = id;
        tokens[id] = token;
    }
}
