using System.Text.Json;
using System.Text.RegularExpressions;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>Reads Hugging Face's <c>tokenizer.json</c>.</summary>
internal static class TokenizerReader
{
    public const string FileName = "tokenizer.json";

    public static Pipeline Read(string folder)
    {
        var names = SpecialNames.Read(folder);
        return JsonFile.Read(Path.Combine(folder, FileName), root => Read(new ComponentJson(root, ""), names));
    }

    /// <summary>A byte-level BPE with GPT-2's words, from its parts; the first ids are <see cref="SpecialTokens.All"/>.</summary>
    public static Pipeline Read(List<KeyValuePair<string, int>> vocabulary, IReadOnlyList<string> merges)
    {
        var model = JsonSerializer.SerializeToElement(new { merges });
        var (tokens, added) = Table(vocabulary, [], new SpecialNames());
        List<PreTokenizer> steps = [new ByteLevelSplit(AddPrefixSpace: false, UseRegex: true, MapBytes: true)];
        var (encoder, pairs) = ModelReader.Read("BPE", new ComponentJson(model, "model"), vocabulary, tokens, steps);
        return Assemble(tokens, added, null, steps, encoder, pairs, ([], []), new ByteLevelDecoder(), new SpecialNames());
    }

    private static Pipeline Read(ComponentJson root, SpecialNames names)
    {
        var model = root.Child("model") ?? throw new InvalidModelException("model is missing.");
        var type = model.Find("type")?.GetString() ?? GuessedType(model);
        var vocabulary = type == "Unigram" ? UnigramVocabulary(model) : Vocabulary(model);
        var listed = AddedTokens(root);
        var (tokens, added) = Table(vocabulary, listed, names);
        var normalizer = root.Child("normalizer") is { } n ? ComponentReader.Normalizer(n) : null;
        var steps = root.Child("pre_tokenizer") is { } p ? ComponentReader.PreTokenizers(p).ToList() : [];
        var (encoder, merges) = ModelReader.Read(type, model, vocabulary, tokens, steps);
        return Assemble(tokens, added, normalizer, steps, encoder, merges,
            root.Child("post_processor") is { } post ? ComponentReader.Template(post, tokens) : ([], []),
            // Without a decoder tokens are words.
            root.Child("decoder") is { } d ? ComponentReader.Decoder(d) : new EachToken((token, first) => first ? token : " " + token), names);
    }

    private static Pipeline Assemble(TokenTable tokens, List<AddedToken> added, Normalizer? normalizer, List<PreTokenizer> steps, TokenModel model,
        IReadOnlyList<(int, int)> merges, (int[], int[]) template, TokenDecoder decoder, SpecialNames names) => new()
    {
        Tokens = tokens,
        Raw = new AddedTokens(added.Where(a => !a.Normalized).Select(a => (a.Content, a))),
        RawAndControl = new AddedTokens(added.Where(a => !a.Normalized || a.Special).Select(a => (a.Content, a))),
        Normalizer = normalizer,
        Normalized = new AddedTokens(added.Where(a => a.Normalized).Select(a => (normalizer?.Normalize(a.Content) ?? a.Content, a))),
        PreTokenizers = steps,
        Model = model,
        Merges = merges,
        Template = template,
        Decoder = decoder,
        BosId = names.IdOf(names.Bos, SpecialTokens.Bos, tokens),
        EosId = names.IdOf(names.Eos, SpecialTokens.Eos, tokens),
        PadId = names.IdOf(names.Pad, SpecialTokens.Pad, tokens),
    };

    // Files of before 2020 do not say.
    private static string GuessedType(ComponentJson model) =>
        model.Find("merges") is not null ? "BPE" : model.Find("continuing_subword_prefix") is not null ? "WordPiece" : model.Find("vocab") is { ValueKind: JsonValueKind.Array } ? "Unigram" : "WordLevel";

    /// <summary>The table of tokens, and added tokens with those that only the configuration names, as <c>transformers</c> adds them.</summary>
    public static (TokenTable Tokens, List<AddedToken> Added) Table(List<KeyValuePair<string, int>> vocabulary, List<AddedToken> listed, SpecialNames names)
    {
        var control = names.All.ToHashSet(StringComparer.Ordinal);
        // This product's own tokenizers have these, whatever the file says besides.
        var own = vocabulary.Concat(listed.Select(a => new KeyValuePair<string, int>(a.Content, a.Id))).Where(v => (uint)v.Value < (uint)SpecialTokens.All.Count).ToLookup(v => v.Value, v => v.Key);
        if (Enumerable.Range(0, SpecialTokens.All.Count).All(id => own[id].Contains(SpecialTokens.All[id])))
            control.UnionWith(SpecialTokens.All);
        // Where an entry and the vocabulary disagree about an id, the vocabulary is right.
        var ids = vocabulary.ToLookup(v => v.Key, v => v.Value, StringComparer.Ordinal);
        var added = listed.Select(a => a with { Id = ids[a.Content].LastOrDefault(a.Id), Special = a.Special || control.Contains(a.Content) }).ToList();
        RequireContiguous(added, ids, vocabulary.Count);
        var known = added.Select(a => a.Content).ToHashSet(StringComparer.Ordinal);
        added.AddRange(vocabulary.Where(v => control.Contains(v.Key) && !known.Contains(v.Key)).Select(v => new AddedToken(v.Value, v.Key, Special: true)));
        return (new TokenTable(vocabulary, added, control), added);
    }

    // Hugging Face numbers tokens that are not in the vocabulary itself, whatever id the file states.
    private static void RequireContiguous(List<AddedToken> added, ILookup<string, int> ids, int vocabulary)
    {
        var next = vocabulary;
        foreach (var token in added)
        {
            if (!ids.Contains(token.Content) && token.Id != next)
                throw new InvalidModelException($"Added token '{token.Content}' has id {token.Id}; the next free id is {next}.");
            next = Math.Max(next, token.Id == int.MaxValue ? token.Id : token.Id + 1);
        }
    }

    private static List<KeyValuePair<string, int>> Vocabulary(ComponentJson model)
    {
        var vocabulary = model.Get("vocab").EnumerateObject().Select(v => KeyValuePair.Create(v.Name, v.Value.GetInt32())).ToList();
        if (vocabulary.CountBy(v => v.Key, StringComparer.Ordinal).FirstOrDefault(c => c.Value > 1).Key is { } twice)
            throw new InvalidModelException($"The vocabulary has token '{twice}' twice.");
        return vocabulary;
    }

    private static List<KeyValuePair<string, int>> UnigramVocabulary(ComponentJson model) =>
        [.. model.Get("vocab").EnumerateArray().Select((v, id) => KeyValuePair.Create(ComponentJson.String(v[0]), id))];

    private static List<AddedToken> AddedTokens(ComponentJson root) => root.Find("added_tokens") is null ? []
        : [.. root.Children("added_tokens").Select(a => new AddedToken(a.Get("id").GetInt32(), a.Text("content"), a.Flag("special", false),
            a.Flag("single_word", false), a.Flag("lstrip", false), a.Flag("rstrip", false), a.Flag("normalized", !a.Flag("special", false)))).Where(a => a.Content.Length > 0)];
}
