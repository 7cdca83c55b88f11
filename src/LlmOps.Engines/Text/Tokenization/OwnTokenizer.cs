using System.Text.Encodings.Web;
using System.Text.Json;
using LlmOps.Engines.Checkpoints;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>This product's own tokenizers: byte-level BPE with GPT-2's words and <see cref="SpecialTokens.All"/> as the first ids.</summary>
internal static class OwnTokenizer
{
    private static readonly JsonWriterOptions Readable = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <exception cref="InvalidModelException">A control token or a byte is missing, a token is repeated, or a merge is not in the vocabulary.</exception>
    public static Pipeline Pipeline(IReadOnlyList<string> vocabulary, IReadOnlyList<string> merges)
    {
        if (vocabulary.CountBy(v => v, StringComparer.Ordinal).FirstOrDefault(c => c.Value > 1).Key is { } twice)
            throw new InvalidModelException($"The vocabulary has token '{twice}' twice.");
        for (var id = 0; id < SpecialTokens.All.Count; id++)
        {
            if (id >= vocabulary.Count || vocabulary[id] != SpecialTokens.All[id])
                throw new InvalidModelException($"The vocabulary has no '{SpecialTokens.All[id]}' with id {id}.");
        }
        List<KeyValuePair<string, int>> tokens = [.. vocabulary.Select((token, id) => KeyValuePair.Create(token, id))];
        return TokenizerReader.Read(tokens, merges);
    }

    public static void Write(Tokenizer tokenizer, string folder)
    {
        WriteFile(Path.Combine(folder, TokenizerReader.FileName), w =>
        {
            w.WriteString("version", "1.0");
            w.WriteNull("truncation");
            w.WriteNull("padding");
            w.WriteStartArray("added_tokens");
            for (var id = 0; id < SpecialTokens.All.Count; id++)
            {
                w.WriteStartObject();
                w.WriteNumber("id", id);
                WriteAddedToken(w, SpecialTokens.All[id]);
                w.WriteEndObject();
            }
            w.WriteEndArray();
            w.WriteNull("normalizer");
            WriteByteLevel(w, "pre_tokenizer");
            w.WriteNull("post_processor");
            WriteByteLevel(w, "decoder");
            w.WriteStartObject("model");
            w.WriteString("type", "BPE");
            w.WriteNull("dropout");
            w.WriteNull("unk_token");
            w.WriteNull("continuing_subword_prefix");
            w.WriteNull("end_of_word_suffix");
            w.WriteBoolean("fuse_unk", false);
            w.WriteBoolean("byte_fallback", false);
            w.WriteBoolean("ignore_merges", false);
            w.WriteStartObject("vocab");
            for (var id = 0; id < tokenizer.VocabularySize; id++)
                w.WriteNumber(tokenizer.Vocabulary[id], id);
            w.WriteEndObject();
            w.WriteStartArray("merges");
            // The form "left right" is read by every version of the library; the newer form, pairs, is not.
            foreach (var merge in tokenizer.Merges)
                w.WriteStringValue(merge);
            w.WriteEndArray();
            w.WriteEndObject();
        });
        WriteFile(Path.Combine(folder, "tokenizer_config.json"), w =>
        {
            w.WriteString("tokenizer_class", "PreTrainedTokenizerFast");
            w.WriteStartObject("added_tokens_decoder");
            for (var id = 0; id < SpecialTokens.All.Count; id++)
            {
                w.WriteStartObject(id.ToString(System.Globalization.CultureInfo.InvariantCulture));
                WriteAddedToken(w, SpecialTokens.All[id]);
                w.WriteEndObject();
            }
            w.WriteEndObject();
            w.WriteString("bos_token", SpecialTokens.Bos);
            w.WriteString("eos_token", SpecialTokens.Eos);
            w.WriteString("pad_token", SpecialTokens.Pad);
            w.WriteBoolean("add_bos_token", false);
            w.WriteBoolean("add_eos_token", false);
            w.WriteBoolean("clean_up_tokenization_spaces", false);
            w.WriteString("chat_template", PromptTemplate.Jinja);
        });
    }

    private static void WriteByteLevel(Utf8JsonWriter w, string name)
    {
        w.WriteStartObject(name);
        w.WriteString("type", "ByteLevel");
        w.WriteBoolean("add_prefix_space", false);
        w.WriteBoolean("trim_offsets", true);
        w.WriteBoolean("use_regex", true);
        w.WriteEndObject();
    }

    private static void WriteAddedToken(Utf8JsonWriter w, string content)
    {
        w.WriteString("content", content);
        w.WriteBoolean("single_word", false);
        w.WriteBoolean("lstrip", false);
        w.WriteBoolean("rstrip", false);
        w.WriteBoolean("normalized", false);
        w.WriteBoolean("special", true);
    }

    private static void WriteFile(string path, Action<Utf8JsonWriter> write) => AtomicFile.Write(path, stream =>
    {
        using var writer = new Utf8JsonWriter(stream, Readable);
        writer.WriteStartObject();
        write(writer);
        writer.WriteEndObject();
    });
}
