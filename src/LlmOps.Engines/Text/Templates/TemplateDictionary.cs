namespace LlmOps.Engines.Text.Templates;

/// <summary>A dictionary in the order of its making; the object of <c>namespace()</c> too.</summary>
internal sealed class TemplateDictionary(bool isNamespace = false)
{
    private readonly OrderedDictionary<object, (object? Key, object? Value)> entries = [];

    /// <summary>Whether its entries are attributes that <c>set</c> may change.</summary>
    public bool IsNamespace { get; } = isNamespace;

    public int Count => entries.Count;

    public IEnumerable<(object? Key, object? Value)> Entries => entries.Values;

    public static TemplateDictionary From(IEnumerable<(string Key, object? Value)> entries, Marks marks)
    {
        var dictionary = new TemplateDictionary();
        foreach (var (key, value) in entries)
            dictionary.Set(new MarkedText(key, marks), value);
        return dictionary;
    }

    public void Set(object? key, object? value)
    {
        var hash = Hash(key);
        entries[hash] = (entries.TryGetValue(hash, out var old) ? old.Key : key, value);
    }

    public void Set(string key, object? value) => Set(new MarkedText(key), value);

    public bool TryGet(object? key, out object? value)
    {
        var found = entries.TryGetValue(Hash(key), out var entry);
        value = entry.Value;
        return found;
    }

    public bool TryGet(string key, out object? value)
    {
        var found = entries.TryGetValue(key, out var entry);
        value = entry.Value;
        return found;
    }

    // Equal values are one key: 1, 1.0 and true are the same.
    private static object Hash(object? key) => key switch
    {
        null => DBNull.Value,
        MarkedText t => t.Text,
        bool or long or double => TemplateValue.Number(key),
        _ => key,
    };
}

/// <summary>A list that is written with round brackets.</summary>
internal sealed class TemplateTuple(IEnumerable<object?> items) : List<object?>(items);
