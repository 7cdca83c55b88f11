using System.Text.Encodings.Web;
using System.Text.Json;
using LlmOps.Engines.Checkpoints;

namespace LlmOps.Engines.Text;

/// <summary>Hugging Face's <c>tokenizer.json</c> and <c>tokenizer_config.json</c>.</summary>
internal static class TokenizerJson
{
    private const string FileName = "tokenizer.json";

    private static readonly JsonWriterOptions Readable = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Tokenizer Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
            throw new InvalidModelException($"{FileName} is missing in the model folder.");
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            var root = document.RootElement;
            RequireSupported(root);
            var model = root.GetProperty("model");
            return new Tokenizer(Vocabulary(model.GetProperty("vocab"), root), model.GetProperty("merges").EnumerateArray().Select(Merge).ToList());
        }
        catch (InvalidModelException e)
        {
            throw new InvalidModelException($"{FileName}: {e.Message}", e);
        }
        // Wrong kinds inside valid JSON surface as these from JsonElement.
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or IndexOutOfRangeException)
        {
            throw new InvalidModelException($"{FileName} is malformed: {e.Message}", e);
        }
    }

    public static void Write(Tokenizer tokenizer, string folder)
    {
        WriteFile(Path.Combine(folder, FileName), w =>
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

    private static void RequireSupported(JsonElement root)
    {
        var model = root.GetProperty("model");
        var type = model.TryGetProperty("type", out var t) ? t.GetString() : "BPE";
        if (type != "BPE")
            throw new UnsupportedModelException($"{FileName}: model type \"{type}\" is not supported; supported: BPE.");
        foreach (var name in new[] { "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix" })
        {
            if (model.TryGetProperty(name, out var value) && value.ValueKind is not JsonValueKind.Null && value.GetRawText() is not "\"\"")
                throw new UnsupportedModelException($"{FileName}: model.{name} is {value.GetRawText()}; supported: null.");
        }
        if (IsTrue(model, "ignore_merges") || IsTrue(model, "byte_fallback"))
            throw new UnsupportedModelException($"{FileName}: ignore_merges and byte_fallback are not supported.");
        if (root.TryGetProperty("normalizer", out var normalizer) && normalizer.ValueKind is not JsonValueKind.Null)
            throw new UnsupportedModelException($"{FileName}: a normalizer is not supported; supported: null.");
        var split = root.TryGetProperty("pre_tokenizer", out var p) && p.ValueKind == JsonValueKind.Object ? p : default;
        var splitType = split.ValueKind == JsonValueKind.Object ? split.GetProperty("type").GetString() : "none";
        if (splitType != "ByteLevel" || IsTrue(split, "add_prefix_space") || (split.TryGetProperty("use_regex", out var regex) && regex.ValueKind == JsonValueKind.False))
            throw new UnsupportedModelException($"{FileName}: pre_tokenizer {splitType} is not supported; supported: ByteLevel with use_regex and without add_prefix_space.");
    }

    private static string[] Vocabulary(JsonElement vocab, JsonElement root)
    {
        var byId = new SortedDictionary<int, string>();
        foreach (var entry in vocab.EnumerateObject())
            Add(byId, entry.Value.GetInt32(), entry.Name);
        if (root.TryGetProperty("added_tokens", out var added) && added.ValueKind == JsonValueKind.Array)
        {
            foreach (var token in added.EnumerateArray())
            {
                var (id, content) = (token.GetProperty("id").GetInt32(), token.GetProperty("content").GetString()!);
                if (!SpecialTokens.All.Contains(content))
                    throw new UnsupportedModelException($"{FileName}: added token '{content}' is not supported; supported: {string.Join(", ", SpecialTokens.All)}.");
                Add(byId, id, content);
            }
        }
        for (var id = 0; id < SpecialTokens.All.Count; id++)
        {
            if (!byId.TryGetValue(id, out var content) || content != SpecialTokens.All[id])
                throw new UnsupportedModelException($"{FileName}: id {id} is '{content}'; this product needs '{SpecialTokens.All[id]}' there.");
        }
        foreach (var (expected, id) in byId.Keys.Index())
        {
            if (id != expected)
                throw new InvalidModelException($"No token has id {expected}.");
        }
        return [.. byId.Values];
    }

    private static void Add(SortedDictionary<int, string> byId, int id, string token)
    {
        if (!byId.TryAdd(id, token) && byId[id] != token)
            throw new InvalidModelException($"Id {id} belongs to both '{byId[id]}' and '{token}'.");
    }

    private static string Merge(JsonElement merge) =>
        merge.ValueKind == JsonValueKind.Array ? $"{merge[0].GetString()} {merge[1].GetString()}" : merge.GetString()!;

    private static bool IsTrue(JsonElement element, string name) => element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;

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
