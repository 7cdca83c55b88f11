using System.Text;
using LlmOps.Engines.Text.Tokenization;

namespace LlmOps.Engines.Text;

/// <summary>
/// Text to token ids and back, as Hugging Face's <c>tokenizers</c> computes it from <c>tokenizer.json</c>, or SentencePiece from <c>tokenizer.model</c>. Safe for use on many threads.
/// </summary>
/// <remarks>
/// Control tokens are never recognised inside a text unless the caller asks: somebody who types <c>&lt;|assistant|&gt;</c> gets plain characters. See <see cref="PromptTemplate"/>.
/// </remarks>
public sealed class Tokenizer
{
    private readonly Pipeline pipeline;
    private readonly byte[]?[] bytes;

    /// <summary>Makes one of this product's tokenizers from its vocabulary and merges.</summary>
    /// <param name="vocabulary">Tokens in the byte alphabet; the index is the id, and the first are <see cref="SpecialTokens.All"/>.</param>
    /// <param name="merges">Pairs in the order in which they are merged, "left right".</param>
    /// <exception cref="InvalidModelException">A control token or a byte is missing, a token is repeated, or a merge is not in the vocabulary.</exception>
    internal Tokenizer(IReadOnlyList<string> vocabulary, IReadOnlyList<string> merges) : this(OwnTokenizer.Pipeline(vocabulary, merges))
    {
    }

    private Tokenizer(Pipeline pipeline)
    {
        this.pipeline = pipeline;
        bytes = new byte[pipeline.Tokens.Count][];
    }

    /// <summary>Number of ids: one more than the highest.</summary>
    public int VocabularySize => pipeline.Tokens.Count;

    /// <summary>Id of the token that starts a sequence, as <c>tokenizer_config.json</c> or <c>special_tokens_map.json</c> names it; null when the model has none.</summary>
    public int? BosId => pipeline.BosId;

    /// <summary>Id of the token that ends a sequence; null when the model has none.</summary>
    public int? EosId => pipeline.EosId;

    /// <summary><see cref="EosId"/> as a list.</summary>
    internal int[] EndIds => EosId is { } eos ? [eos] : [];

    /// <summary>Id of the token that fills batches; null when the model has none.</summary>
    public int? PadId => pipeline.PadId;

    /// <summary>Whether it is one of this product's own: the first ids are <see cref="SpecialTokens.All"/>, and <see cref="PromptTemplate"/> applies.</summary>
    public bool HasOwnControlTokens => VocabularySize >= SpecialTokens.All.Count && Enumerable.Range(0, SpecialTokens.All.Count).All(id => pipeline.Tokens[id] == SpecialTokens.All[id]);

    /// <summary>Pairs of a byte-pair encoding in the order in which they are merged, "left right" as the vocabulary spells them.</summary>
    public IReadOnlyList<string> Merges => field ??= [.. pipeline.Merges.Select(m => $"{pipeline.Tokens[m.Left]} {pipeline.Tokens[m.Right]}")];

    /// <summary>Tokens as the vocabulary spells them; the index is the id. A reserved id has an empty one.</summary>
    public IReadOnlyList<string> Vocabulary => pipeline.Tokens.Spellings;

    /// <summary>Reads <c>tokenizer.json</c> from a model folder, else <c>tokenizer.model</c> or <c>spiece.model</c>, with the names of control tokens from the files beside it.</summary>
    /// <exception cref="InvalidModelException">A file is missing or damaged, ids contradict each other, or a merge names an unknown token.</exception>
    /// <exception cref="UnsupportedModelException">A component is of a kind that is not supported; the message names it and those that are.</exception>
    public static Tokenizer Load(string folder) =>
        new(!File.Exists(Path.Combine(folder, TokenizerReader.FileName)) && SentencePieceReader.FindFile(folder) is { } file ? SentencePieceReader.Read(folder, file) : TokenizerReader.Read(folder));

    /// <summary>Writes <c>tokenizer.json</c> and <c>tokenizer_config.json</c> (with the chat template), as Hugging Face's <c>AutoTokenizer</c> reads them.</summary>
    /// <exception cref="UnsupportedModelException">It is not one of this product's own; copy the files of the folder it came from.</exception>
    public void Save(string folder)
    {
        if (!HasOwnControlTokens)
            throw new UnsupportedModelException("Only tokenizers that BpeTrainer made can be written; copy the tokenizer files of the model folder instead.");
        OwnTokenizer.Write(this, folder);
    }

    /// <summary>Ids of a plain text: no control tokens are added or recognised. Lone surrogates become U+FFFD.</summary>
    /// <remarks>Added tokens that are not special, such as runs of spaces or <c>&lt;think&gt;</c> where a model declares it so, are part of the vocabulary and are recognised.</remarks>
    public int[] Encode(string text) => Encode(text, specials: false);

    /// <summary>Ids of a text.</summary>
    /// <param name="text">The text; lone surrogates become U+FFFD.</param>
    /// <param name="specials">Whether control tokens that are written in the text count as such. Only for text from a trusted source, such as a rendered chat template.</param>
    /// <param name="addSpecial">Whether to put the control tokens around it that the tokenizer's post-processor states, such as <c>&lt;s&gt;</c> or <c>[CLS]</c> and <c>[SEP]</c>.</param>
    /// <exception cref="ArgumentException">A character has no token, and the tokenizer has none for unknown ones.</exception>
    public int[] Encode(string text, bool specials, bool addSpecial = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        var ids = new List<int>(text.Length / 3 + 4);
        if (addSpecial)
            ids.AddRange(pipeline.Template.Before);
        if (text.Length > 0)
            pipeline.Encode(Characters.WithoutLoneSurrogates(text), specials, ids);
        if (addSpecial)
            ids.AddRange(pipeline.Template.After);
        return [.. ids];
    }

    /// <summary>Ids of a rendered conversation, as of the whole text, but that control tokens count only where the template wrote them: whoever types one gets its letters.</summary>
    public int[] Encode(RenderedChat chat)
    {
        ArgumentNullException.ThrowIfNull(chat);
        var (content, ids) = (chat.Content, new List<int>(chat.Text.Length / 3 + 4));
        // Replacing lone surrogates keeps all places.
        if (chat.Text.Length > 0)
            pipeline.Encode(Characters.WithoutLoneSurrogates(chat.Text), (start, end) => !content.Any(c => c.Start < end && c.End > start), ids);
        return [.. ids];
    }

    /// <summary>The text of ids; bytes that are no valid UTF-8 become U+FFFD. Where text arrives token by token, see <see cref="IncrementalDecoder"/>.</summary>
    /// <param name="ids">Token ids; reserved ones have no text.</param>
    /// <param name="skipSpecial">Whether control tokens are left out rather than shown by name.</param>
    /// <exception cref="ArgumentException">An id is outside the vocabulary.</exception>
    public string Decode(IReadOnlyList<int> ids, bool skipSpecial = true)
    {
        var spellings = new List<string>(ids.Count);
        foreach (var id in ids)
        {
            Ensure(id);
            if (pipeline.Tokens[id] is { } token && !(skipSpecial && IsSpecial(id)))
                spellings.Add(token);
        }
        return string.Concat(pipeline.Decoder.Decode(spellings));
    }

    /// <summary>The UTF-8 bytes that one token adds to a text when it follows others, which may be a part of a character; of a control token, those of its name.</summary>
    /// <exception cref="ArgumentException">The id is outside the vocabulary.</exception>
    public ReadOnlySpan<byte> Bytes(int id)
    {
        Ensure(id);
        return bytes[id] ??= BytesOf(id, first: false);
    }

    /// <summary>Whether an id is a control token.</summary>
    public bool IsSpecial(int id) => pipeline.Tokens.Special.Contains(id);

    /// <summary>All control tokens as the vocabulary spells them.</summary>
    internal IEnumerable<string> ControlTokens => pipeline.Tokens.Special.Select(id => pipeline.Tokens[id]).OfType<string>();

    /// <summary>Id of a token as the vocabulary spells it, or null.</summary>
    public int? TokenId(string token) => pipeline.Tokens.Ids.TryGetValue(token, out var id) ? id : null;

    /// <summary>Whether a token is still the first when all before it had no text.</summary>
    internal bool SkipsEmptyStart => pipeline.Decoder.SkipsEmptyStart;

    /// <summary>The bytes of a token that starts a text or follows others.</summary>
    internal byte[] BytesOf(int id, bool first)
    {
        Ensure(id);
        if (pipeline.Tokens[id] is not { } token)
            return [];
        if (IsSpecial(id))
            return Encoding.UTF8.GetBytes(token);
        if (pipeline.Decoder.IsByteLevel)
            return ByteLevelDecoder.BytesOf(token);
        if (pipeline.Decoder.HasBytes && ByteFallbackDecoder.ByteOf(token) is { } b)
            return [b];
        return Encoding.UTF8.GetBytes(first ? string.Concat(pipeline.Decoder.Decode([token])) : pipeline.Decoder.Following(token));
    }

    private void Ensure(int id)
    {
        if ((uint)id >= (uint)VocabularySize)
            throw new ArgumentException($"Token id {id} is outside the vocabulary of {VocabularySize}.", nameof(id));
    }
}
