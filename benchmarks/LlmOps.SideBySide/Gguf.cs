using System.Text;
using LlmOps.Engines.Checkpoints;

namespace LlmOps.SideBySide;

/// <summary>Weight types of llama.cpp that the comparison uses; the numbers are those of the file format.</summary>
internal enum GgufType { F32 = 0, F16 = 1, Q4_0 = 2, Q8_0 = 8 }

/// <summary>
/// Writes a Llama-shaped checkpoint as GGUF version 3 without a tokenizer, so that llama.cpp runs the same weights. Every matrix, the tied
/// embedding included, gets the given type (the smallest and fastest form for the peer); norms stay in 32-bit floats.
/// </summary>
internal static class Gguf
{
    private const int Alignment = 32;

    public static void Write(string hfFolder, string path, GgufType type)
    {
        using var checkpoint = CheckpointFolder.Open(hfFolder);
        var config = checkpoint.Config;
        var tensors = DecoderTensors.Expected(config).Select(t => (t.Name, t.Shape, Type: t.Shape.Length == 2 ? type : GgufType.F32)).ToList();
        using var file = new BinaryWriter(new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20));
        file.Write("GGUF"u8);
        file.Write(3u);
        file.Write((ulong)tensors.Count);
        WriteMetadata(file, config);
        ulong offset = 0;
        foreach (var (name, shape, kind) in tensors)
        {
            WriteText(file, Name(name));
            file.Write((uint)shape.Length);
            foreach (var size in shape.Reverse()) // fastest dimension first
                file.Write((ulong)size);
            file.Write((uint)kind);
            file.Write(offset);
            offset += Padded(Bytes(shape, kind));
        }
        Pad(file);
        foreach (var (name, shape, kind) in tensors)
        {
            var values = checkpoint.Weights.ReadFloat32(name);
            if (name.EndsWith("q_proj.weight", StringComparison.Ordinal) || name.EndsWith("k_proj.weight", StringComparison.Ordinal))
                values = Interleave(values, (int)shape[0], (int)shape[1], config.HeadDim);
            file.Write(Encode(values, kind));
            Pad(file);
        }
    }

    private static void WriteMetadata(BinaryWriter file, ModelConfig c)
    {
        (string Key, object Value)[] entries =
        [
            ("general.architecture", "llama"), ("general.name", "random"), ("llama.vocab_size", (uint)c.VocabSize), ("llama.context_length", (uint)c.MaxPositionEmbeddings),
            ("llama.embedding_length", (uint)c.HiddenSize), ("llama.block_count", (uint)c.NumHiddenLayers), ("llama.feed_forward_length", (uint)c.IntermediateSize),
            ("llama.attention.head_count", (uint)c.NumAttentionHeads), ("llama.attention.head_count_kv", (uint)c.NumKeyValueHeads),
            ("llama.attention.layer_norm_rms_epsilon", (float)c.RmsNormEps), ("llama.rope.dimension_count", (uint)c.HeadDim), ("llama.rope.freq_base", (float)c.RopeTheta),
            ("tokenizer.ggml.model", "no_vocab"),
        ];
        file.Write((ulong)entries.Length);
        foreach (var (key, value) in entries)
        {
            WriteText(file, key);
            switch (value)
            {
                case uint number: file.Write(4u); file.Write(number); break;
                case float real: file.Write(6u); file.Write(real); break;
                case string text: file.Write(8u); WriteText(file, text); break;
            }
        }
    }

    private static string Name(string name) => name switch
    {
        "model.embed_tokens.weight" => "token_embd.weight",
        "model.norm.weight" => "output_norm.weight",
        "lm_head.weight" => "output.weight",
        _ => "blk." + name["model.layers.".Length..].Replace("input_layernorm", "attn_norm").Replace("post_attention_layernorm", "ffn_norm")
            .Replace("self_attn.o_proj", "attn_output").Replace("self_attn.", "attn_").Replace("mlp.", "ffn_").Replace("_proj", ""),
    };

    // llama.cpp turns neighbouring pairs, Hugging Face the two halves of a head: row 2i+j comes from row j*half+i.
    private static float[] Interleave(float[] values, int rows, int width, int head)
    {
        var result = new float[values.Length];
        var half = head / 2;
        for (var row = 0; row < rows; row++)
        {
            int within = row % head, source = row - within + within % 2 * half + within / 2;
            values.AsSpan(source * width, width).CopyTo(result.AsSpan(row * width));
        }
        return result;
    }

    private static ulong Bytes(long[] shape, GgufType type)
    {
        var count = (ulong)shape.Aggregate(1L, (a, b) => a * b);
        return type switch { GgufType.F32 => count * 4, GgufType.F16 => count * 2, GgufType.Q8_0 => count / 32 * 34, _ => count / 32 * 18 };
    }

    private static byte[] Encode(float[] values, GgufType type)
    {
        var result = new byte[Bytes([values.Length], type)];
        Parallel.For(0, (values.Length + 31) / 32, b =>
        {
            var block = values.AsSpan(b * 32, Math.Min(32, values.Length - b * 32));
            switch (type)
            {
                case GgufType.F32:
                    for (var i = 0; i < block.Length; i++)
                        BitConverter.TryWriteBytes(result.AsSpan((b * 32 + i) * 4), block[i]);
                    break;
                case GgufType.F16:
                    for (var i = 0; i < block.Length; i++)
                        BitConverter.TryWriteBytes(result.AsSpan((b * 32 + i) * 2), (Half)block[i]);
                    break;
                case GgufType.Q8_0:
                    EncodeQ8(block, result.AsSpan(b * 34, 34));
                    break;
                case GgufType.Q4_0:
                    EncodeQ4(block, result.AsSpan(b * 18, 18));
                    break;
            }
        });
        return result;
    }

    private static void EncodeQ8(ReadOnlySpan<float> block, Span<byte> target)
    {
        var largest = 0f;
        foreach (var w in block)
            largest = Math.Max(largest, Math.Abs(w));
        var scale = largest / 127;
        BitConverter.TryWriteBytes(target, (Half)scale);
        for (var i = 0; i < 32; i++)
            target[2 + i] = (byte)(sbyte)(scale == 0 ? 0 : MathF.Round(block[i] / scale));
    }

    // Low nibbles hold values 0 to 15, high nibbles 16 to 31.
    private static void EncodeQ4(ReadOnlySpan<float> block, Span<byte> target)
    {
        var largest = 0f;
        foreach (var w in block)
            largest = Math.Abs(w) > Math.Abs(largest) ? w : largest;
        var scale = largest / -8;
        BitConverter.TryWriteBytes(target, (Half)scale);
        for (var i = 0; i < 16; i++)
            target[2 + i] = (byte)(Nibble(block[i]) | Nibble(block[i + 16]) << 4);

        int Nibble(float w) => scale == 0 ? 8 : Math.Clamp((int)(w / scale + 8.5f), 0, 15);
    }

    private static ulong Padded(ulong bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    private static void Pad(BinaryWriter file)
    {
        while (file.BaseStream.Position % Alignment != 0)
            file.Write((byte)0);
    }

    private static void WriteText(BinaryWriter file, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        file.Write((ulong)bytes.Length);
        file.Write(bytes);
    }
}
