using System.Text;
using System.Text.Json;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>Reads normalizers, pre-tokenizers, post-processors and decoders of <c>tokenizer.json</c>.</summary>
internal static class ComponentReader
{
    public static Normalizer Normalizer(ComponentJson c) => c.Type switch
    {
        "Sequence" => new NormalizerSequence([.. c.Children("normalizers").Select(Normalizer)]),
        "NFC" => new UnicodeForm(NormalizationForm.FormC),
        "NFD" => new UnicodeForm(NormalizationForm.FormD),
        "NFKC" => new UnicodeForm(NormalizationForm.FormKC),
        "NFKD" => new UnicodeForm(NormalizationForm.FormKD),
        "Lowercase" => new LowerCase(),
        "StripAccents" => new WithoutMarks(nonspacingOnly: false),
        "Strip" => new StripSpaces(c.Flag("strip_left", true), c.Flag("strip_right", true)),
        "Replace" => new ReplaceMatches(Pattern(c), c.Text("content")),
        "Prepend" => new PrependText(c.Text("prepend")),
        "Precompiled" => new PrecompiledRules(new CharsMap(c.Get("precompiled_charsmap").GetBytesFromBase64())),
        "BertNormalizer" => BertNormalizer(c),
        _ => throw c.Unsupported("Sequence, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, Prepend, Precompiled, BertNormalizer"),
    };

    private static BertCleaning BertNormalizer(ComponentJson c)
    {
        var lower = c.Flag("lowercase", true);
        return new BertCleaning(c.Flag("clean_text", true), c.Flag("handle_chinese_chars", true), c.Flag("strip_accents", lower), lower);
    }

    /// <summary>The steps of a pre-tokenizer, sequences laid flat.</summary>
    public static IEnumerable<PreTokenizer> PreTokenizers(ComponentJson c) => c.Type switch
    {
        "Sequence" => c.Children("pretokenizers").SelectMany(PreTokenizers),
        "ByteLevel" => [new ByteLevelSplit(c.Flag("add_prefix_space", true), c.Flag("use_regex", true), MapBytes: true)],
        "Split" => [Split(c)],
        "Whitespace" => [new PatternSplit(Words().Inverted(), SplitBehavior.Removed)],
        "WhitespaceSplit" => [Spaces()],
        "BertPreTokenizer" => [Spaces(), new PatternSplit(new CharacterPattern(Characters.IsPunctuation), SplitBehavior.Isolated)],
        "Metaspace" => [Metaspace(c)],
        "Digits" => [new PatternSplit(new CharacterPattern(Rune.IsNumber), c.Flag("individual_digits", false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous)],
        "Punctuation" => [new PatternSplit(new CharacterPattern(Characters.IsPunctuation), Behavior(c, SplitBehavior.Isolated))],
        _ => throw c.Unsupported("Sequence, ByteLevel, Split, Whitespace, WhitespaceSplit, BertPreTokenizer, Metaspace, Digits, Punctuation"),
    };

    // \w+|[^\w\s]+ of Rust's regular expressions, where \w is Unicode's.
    private static RunPattern Words() => new(rune => Characters.IsWord(rune) ? 1 : Rune.IsWhiteSpace(rune) ? 0 : 2);

    private static PatternSplit Spaces() => new(new CharacterPattern(Rune.IsWhiteSpace), SplitBehavior.Removed);

    private static PreTokenizer Split(ComponentJson c)
    {
        var (behavior, invert) = (Behavior(c, null), c.Flag("invert", false));
        // A scanner leaves nothing out: to isolate its words and to remove what is between them is the same.
        if (c.Child("pattern")?.Find("Regex")?.GetString() is { } regex && WordScanners.ByPattern.TryGetValue(regex, out var scanner)
            && (behavior == SplitBehavior.Isolated || (behavior == SplitBehavior.Removed && invert)))
            return new ScannerSplit(scanner);
        return new PatternSplit(invert ? Pattern(c).Inverted() : Pattern(c), behavior);
    }

    private static MetaspaceSplit Metaspace(ComponentJson c)
    {
        var prepend = c.Find("prepend_scheme")?.GetString() ?? "always";
        if (prepend is not ("always" or "first" or "never"))
            throw new UnsupportedModelException($"{c.Path}.prepend_scheme is \"{prepend}\"; supported: always, first, never.");
        // Older files say it with add_prefix_space.
        if (!c.Flag("add_prefix_space", true))
            prepend = "never";
        return new MetaspaceSplit(c.Text("replacement"), prepend, c.Flag("split", true));
    }

    private static SplitBehavior Behavior(ComponentJson c, SplitBehavior? absent)
    {
        if (c.Find("behavior")?.GetString() is not { } name)
            return absent ?? throw new InvalidModelException($"{c.Path} has no behavior.");
        return Enum.TryParse<SplitBehavior>(name, out var behavior) && Enum.IsDefined(behavior) && char.IsAsciiLetter(name[0]) ? behavior
            : throw new UnsupportedModelException($"{c.Path}.behavior is \"{name}\"; supported: {string.Join(", ", Enum.GetNames<SplitBehavior>())}.");
    }

    private static TextPattern Pattern(ComponentJson c)
    {
        var pattern = c.Child("pattern") ?? throw new InvalidModelException($"{c.Path} has no pattern.");
        if (pattern.Find("String")?.GetString() is { } literal)
            return new LiteralPattern(literal);
        return OnigurumaPattern.Parse(pattern.Text("Regex"), pattern.Path);
    }

    /// <summary>Ids that a post-processor puts before and after a text.</summary>
    public static (int[] Before, int[] After) Template(ComponentJson c, TokenTable tokens)
    {
        switch (c.Type)
        {
            case "ByteLevel":
                return ([], []);
            case "BertProcessing" or "RobertaProcessing":
                return ([Known(c.Get("cls")[1].GetInt32())], [Known(c.Get("sep")[1].GetInt32())]);
            case "Sequence":
                return c.Children("processors").Select(p => Template(p, tokens)).Aggregate((Before: Array.Empty<int>(), After: Array.Empty<int>()),
                    (inner, outer) => ([.. outer.Before, .. inner.Before], [.. inner.After, .. outer.After]));
            case "TemplateProcessing":
                break;
            default:
                throw c.Unsupported("Sequence, TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel");
        }
        var (before, after, texts) = (new List<int>(), new List<int>(), 0);
        var ids = c.Child("special_tokens");
        foreach (var item in c.Children("single"))
        {
            if (item.Child("Sequence") is not null)
                texts++;
            else if (item.Child("SpecialToken") is { } special && ids?.Child(special.Text("id")) is { } entry)
                (texts == 0 ? before : after).AddRange(entry.Get("ids").EnumerateArray().Select(id => Known(id.GetInt32())));
            else
                throw new InvalidModelException($"{item.Path} is neither a sequence nor a token of special_tokens.");
        }
        return texts == 1 ? ([.. before], [.. after]) : throw new UnsupportedModelException($"{c.Path}.single has the text {texts} times; supported: once.");

        int Known(int id) => id >= 0 && id < tokens.Count && tokens[id] is not null ? id : throw new InvalidModelException($"{c.Path} names id {id}, which no token has.");
    }

    public static TokenDecoder Decoder(ComponentJson c)
    {
        switch (c.Type)
        {
            case "Sequence":
                return new DecoderSequence([.. c.Children("decoders").Select(Decoder)]);
            case "ByteLevel":
                return new ByteLevelDecoder();
            case "ByteFallback":
                return new ByteFallbackDecoder();
            case "Fuse":
                return new FuseDecoder();
            case "Replace":
                var (pattern, content) = (Pattern(c), c.Text("content"));
                return new EachToken((token, _) => ReplaceMatches.Replace(pattern, content, token));
            case "Metaspace":
                var (mark, keep) = (c.Text("replacement"), c.Find("prepend_scheme")?.GetString() == "never" || !c.Flag("add_prefix_space", true));
                return new EachToken((token, first) => token.Replace(mark, first && !keep ? "" : " ", StringComparison.Ordinal));
            case "Strip":
                var (strip, start, stop) = (c.Text("content"), c.Int("start") ?? 0, c.Int("stop") ?? 0);
                return new StripDecoder(strip, start, stop);
            case "WordPiece":
                var (prefix, cleanup) = (c.Text("prefix"), c.Flag("cleanup", true));
                return new EachToken((token, first) =>
                {
                    var text = first ? token : token.StartsWith(prefix, StringComparison.Ordinal) ? token[prefix.Length..] : " " + token;
                    return cleanup ? WithoutSpacesBeforePunctuation(text) : text;
                });
            default:
                throw c.Unsupported("Sequence, ByteLevel, ByteFallback, Fuse, Replace, Metaspace, Strip, WordPiece");
        }
    }

    private static string WithoutSpacesBeforePunctuation(string text) => text.Contains(' ')
        ? text.Replace(" .", ".").Replace(" ?", "?").Replace(" !", "!").Replace(" ,", ",").Replace(" ' ", "'").Replace(" n't", "n't").Replace(" 'm", "'m")
            .Replace(" do not", " don't").Replace(" 's", "'s").Replace(" 've", "'ve").Replace(" 're", "'re")
        : text;
}
