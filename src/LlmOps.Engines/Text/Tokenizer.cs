using System.Text;
using LlmOps.Engines.Checkpoints;
using Microsoft.ML.Tokenizers;

namespace LlmOps.Engines.Text;

/// <summary>
/// Byte-level BPE as Hugging Face's <c>tokenizers</c> does it: any text can be encoded and decodes to itself. Safe for use on many threads.
/// </summary>
/// <remarks>Control tokens are never recognised inside a text: somebody who types <c>&lt;|assistant|&gt;</c> gets plain characters. See <see cref="PromptTemplate"/>.</remarks>
public sealed class Tokenizer
{
    private readonly string[] tokens;
    private readonly byte[]?[] bytes;
    private readonly Dictionary<string, int> ids;
    private readonly BpeTokenizer bpe;

    /// <summary>Makes a tokenizer from its vocabulary and merges.</summary>
    /// <param name="vocabulary">Tokens in the byte alphabet; the index is the id, and the first are <see cref="SpecialTokens.All"/>.</param>
    /// <param name="merges">Pairs in the order in which they are merged, "left right".</param>
    /// <exception cref="InvalidModelException">A control token or a byte is missing, a token is repeated, or a merge is not in the vocabulary.</exception>
    internal Tokenizer(IReadOnlyList<string> vocabulary, IReadOnlyList<string> merges)
    {
        tokens = [.. vocabulary];
        Merges = [.. merges];
        bytes = new byte[tokens.Length][];
        ids = new Dictionary<string, int>(tokens.Length, StringComparer.Ordinal);
        for (var id = 0; id < tokens.Length; id++)
        {
            if (!ids.TryAdd(tokens[id], id))
                throw new InvalidModelException($"The vocabulary has token '{tokens[id]}' twice.");
            if (id >= SpecialTokens.All.Count)
                bytes[id] = ByteAlphabet.BytesOf(tokens[id]) ?? throw new InvalidModelException($"Token {id} '{tokens[id]}' is not in the byte-level alphabet.");
        }
        RequireComplete();
        bpe = BpeTokenizer.Create(new BpeOptions(ids) { Merges = Merges, ByteLevel = true, PreTokenizer = WordSplitter.Instance });
    }

    /// <summary>Number of ids.</summary>
    public int VocabularySize => tokens.Length;

    /// <summary>Id of <see cref="SpecialTokens.Bos"/>.</summary>
    public int BosId => 1;

    /// <summary>Id of <see cref="SpecialTokens.Eos"/>.</summary>
    public int EosId => 2;

    /// <summary>Id of <see cref="SpecialTokens.Pad"/>.</summary>
    public int PadId => 0;

    /// <summary>Pairs in the order in which they are merged, "left right" in the byte alphabet.</summary>
    public IReadOnlyList<string> Merges { get; }

    /// <summary>Tokens in the byte alphabet; the index is the id.</summary>
    public IReadOnlyList<string> Vocabulary => tokens;

    /// <summary>Reads <c>tokenizer.json</c> from a model folder.</summary>
    /// <exception cref="InvalidModelException">The file is missing or damaged.</exception>
    /// <exception cref="UnsupportedModelException">It is not a byte-level BPE with GPT-2's splitting and this product's control tokens.</exception>
    public static Tokenizer Load(string folder) => TokenizerJson.Read(folder);

    /// <summary>Writes <c>tokenizer.json</c> and <c>tokenizer_config.json</c> (with the chat template), as Hugging Face's <c>AutoTokenizer</c> reads them.</summary>
    public void Save(string folder) => TokenizerJson.Write(this, folder);

    /// <summary>Ids of a plain text; no control tokens are added or recognised. Lone surrogates become U+FFFD.</summary>
    public int[] Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length == 0)
            return [];
        // A lone surrogate has no UTF-8 form; the replacement character is what any UTF-8 writer would have stored.
        if (text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF'))
            text = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
        return [.. bpe.EncodeToIds(text, considerPreTokenization: true, considerNormalization: false)];
    }

    /// <summary>The text of ids; bytes that are no valid UTF-8 become U+FFFD.</summary>
    /// <param name="ids">Token ids.</param>
    /// <param name="skipSpecial">Whether control tokens are left out rather than shown by name.</param>
    /// <exception cref="ArgumentException">An id is outside the vocabulary.</exception>
    public string Decode(IReadOnlyList<int> ids, bool skipSpecial = true)
    {
        using var buffer = new MemoryStream(ids.Count * 4);
        foreach (var id in ids)
        {
            if (!skipSpecial || !IsSpecial(id))
                buffer.Write(Bytes(id));
        }
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    /// <summary>The UTF-8 bytes of one token, which may be a part of a character; of a control token, those of its name.</summary>
    /// <exception cref="ArgumentException">The id is outside the vocabulary.</exception>
    public ReadOnlySpan<byte> Bytes(int id)
    {
        if ((uint)id >= (uint)tokens.Length)
            throw new ArgumentException($"Token id {id} is outside the vocabulary of {tokens.Length}.", nameof(id));
        return bytes[id] ?? Encoding.UTF8.GetBytes(tokens[id]);
    }

    /// <summary>Whether an id is one of <see cref="SpecialTokens.All"/>.</summary>
    public bool IsSpecial(int id) => (uint)id < (uint)SpecialTokens.All.Count;

    /// <summary>Id of a token as the vocabulary spells it, or null.</summary>
    public int? TokenId(string token) => ids.TryGetValue(token, out var id) ? id : null;

    private void RequireComplete()
    {
        for (var id = 0; id < SpecialTokens.All.Count; id++)
        {
            if (id >= tokens.Length || tokens[id] != SpecialTokens.All[id])
                throw new InvalidModelException($"The vocabulary has no '{SpecialTokens.All[id]}' with id {id}.");
        }
        for (var b = 0; b < 256; b++)
        {
            if (!ids.ContainsKey(ByteAlphabet.CharOf((byte)b).ToString()))
                throw new InvalidModelException($"The vocabulary has no token for byte {b}; some texts could not be encoded.");
        }
        foreach (var merge in Merges)
        {
            var space = merge.IndexOf(' ', StringComparison.Ordinal);
            if (space <= 0 || !ids.ContainsKey(merge[..space]) || !ids.ContainsKey(merge[(space + 1)..]) || !ids.ContainsKey(merge.Remove(space, 1)))
                throw new InvalidModelException($"Merge '{merge}' names a token that is not in the vocabulary.");
        }
    }
}
