using System.Text.Json;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>Reads <c>model</c> of <c>tokenizer.json</c>.</summary>
internal static class ModelReader
{
    private const string Supported = "BPE, Unigram, WordPiece, WordLevel";

    /// <param name="type">Kind of model.</param>
    /// <param name="c">The model.</param>
    /// <param name="vocabulary">Its tokens.</param>
    /// <param name="tokens">All tokens.</param>
    /// <param name="steps">Pre-tokenizers; a last ByteLevel loses its mapping when the model reads bytes itself.</param>
    public static (TokenModel Model, IReadOnlyList<(int, int)> Merges) Read(string type, ComponentJson c, List<KeyValuePair<string, int>> vocabulary, TokenTable tokens, List<PreTokenizer> steps) => type switch
    {
        "BPE" => Bpe(c, vocabulary, tokens, steps),
        "Unigram" => (Unigram(c, tokens), []),
        "WordPiece" => (new WordPieceModel(Spellable(vocabulary, tokens), Unknown(c, tokens, "[UNK]"), c.Find("continuing_subword_prefix")?.GetString() ?? "##", c.Int("max_input_chars_per_word") ?? 100), []),
        "WordLevel" => (new WordLevelModel(Spellable(vocabulary, tokens), Unknown(c, tokens, "<unk>")), []),
        _ => throw new UnsupportedModelException($"model of type {type} is not supported; supported: {Supported}."),
    };

    // Words of a text are not to become control tokens. One character is text whatever else it is used for.
    private static Dictionary<string, int> Spellable(List<KeyValuePair<string, int>> vocabulary, TokenTable tokens) =>
        vocabulary.Where(v => v.Key.Length == 1 || !tokens.Special.Contains(v.Value)).ToDictionary(StringComparer.Ordinal);

    private static int Unknown(ComponentJson c, TokenTable tokens, string absent)
    {
        var name = c.Find("unk_token")?.GetString() ?? absent;
        return tokens.Ids.TryGetValue(name, out var id) ? id : throw new InvalidModelException($"model.unk_token '{name}' is not in the vocabulary.");
    }

    private static UnigramModel Unigram(ComponentJson c, TokenTable tokens)
    {
        var pieces = c.Get("vocab").EnumerateArray().Select((v, id) => (Text: ComponentJson.String(v[0]), Score: v[1].GetDouble(), Id: id)).ToArray();
        if (c.Int("unk_id") is { } unknown && (uint)unknown >= (uint)pieces.Length)
            throw new InvalidModelException($"model.unk_id is {unknown}; the vocabulary has {pieces.Length} pieces.");
        return new UnigramModel([.. pieces.Select(p => new UnigramPiece(p.Text, p.Score, Hidden: p.Text.Length > 1 && tokens.Special.Contains(p.Id)))],
            c.Int("unk_id"), c.Flag("byte_fallback", false), single: false);
    }

    private static (TokenModel, IReadOnlyList<(int, int)>) Bpe(ComponentJson c, List<KeyValuePair<string, int>> vocabulary, TokenTable tokens, List<PreTokenizer> steps)
    {
        if (c.Find("dropout") is { } dropout && dropout.GetDouble() != 0)
            throw new UnsupportedModelException($"model.dropout is {dropout.GetRawText()}: the same text would give other ids each time; supported: null.");
        var ids = vocabulary.ToDictionary(StringComparer.Ordinal);
        var options = new BpeOptions
        {
            ByteFallback = c.Flag("byte_fallback", false),
            Unknown = c.Find("unk_token")?.GetString() is { Length: > 0 } ? Unknown(c, tokens, "") : null,
            FuseUnknown = c.Flag("fuse_unk", false),
            IgnoreMerges = c.Flag("ignore_merges", false),
            Control = tokens.Special,
            Prefix = c.Find("continuing_subword_prefix")?.GetString() ?? "",
            Suffix = c.Find("end_of_word_suffix")?.GetString() ?? "",
        };
        if (steps.Count > 0 && steps[^1] is ByteLevelSplit byteLevel)
        {
            if (ReadsBytes(options, ids))
            {
                options = options with { ByteLevel = true };
                steps[^1] = byteLevel.WithoutMapping();
                steps.RemoveAll(s => s is ByteLevelSplit { IsIdentity: true });
            }
        }
        var merges = Merges(c, ids, options.Prefix.Length);
        return (new BpeModel(ids, [.. merges.Select((m, rank) => (m.Left, m.Right, m.Merged, rank))], options), [.. merges.Select(m => (m.Left, m.Right))]);
    }

    private static bool ReadsBytes(BpeOptions options, Dictionary<string, int> ids)
    {
        if (options.Prefix.Length + options.Suffix.Length > 0)
            return false;
        for (var b = 0; b < 256; b++)
        {
            // The others occur in no UTF-8.
            if (b is not (0xC0 or 0xC1 or >= 0xF5) && !ids.ContainsKey(ByteAlphabet.CharOf((byte)b).ToString()))
                return options.Unknown is not null ? false : throw new InvalidModelException($"The vocabulary has no token for byte {b}; some texts could not be encoded.");
        }
        return true;
    }

    private static List<(int Left, int Right, int Merged)> Merges(ComponentJson c, Dictionary<string, int> ids, int prefix)
    {
        var json = c.Get("merges");
        var lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        var merges = new List<(int, int, int)>(json.GetArrayLength());
        var buffer = new char[64];
        foreach (var merge in json.EnumerateArray())
        {
            var pair = merge.ValueKind == JsonValueKind.Array ? $"{ComponentJson.String(merge[0])} {ComponentJson.String(merge[1])}" : ComponentJson.String(merge);
            var space = merge.ValueKind == JsonValueKind.Array ? ComponentJson.String(merge[0]).Length : pair.IndexOf(' ', StringComparison.Ordinal);
            if (space > 0 && pair.Length - space - 1 >= prefix)
            {
                if (buffer.Length < pair.Length)
                    Array.Resize(ref buffer, pair.Length * 2);
                var joined = buffer.AsSpan();
                var left = pair.AsSpan(0, space);
                var right = pair.AsSpan(space + 1);
                left.CopyTo(joined);
                right[prefix..].CopyTo(joined[space..]);
                if (lookup.TryGetValue(left, out var l) && lookup.TryGetValue(right, out var r) && lookup.TryGetValue(joined[..(pair.Length - 1 - prefix)], out var m))
                {
                    merges.Add((l, r, m));
                    continue;
                }
            }
            throw new InvalidModelException($"Merge '{pair}' names a token that is not in the vocabulary.");
        }
        return merges;
    }
}
