using System.Text;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx;
using LlmOps.TestKit;

namespace LlmOps.Engines.Tests.Checkpoints;

/// <summary>Damaged checkpoints, a fixed number with fixed seeds: each opens or is refused by a named error, and none leaves a part of an export behind.</summary>
public sealed class CheckpointFuzzTests(ExportedModels models)
{
    [Theory, InlineData("llama3"), InlineData("gemma3"), InlineData("phi3-longrope"), InlineData("gpt2")]
    public void Read_RefusesByName_WhateverAConfigurationHolds(string family)
    {
        var folder = models.New();
        TinyFamilies.Write(folder, family);
        var path = Path.Combine(folder, ModelConfig.FileName);
        var original = File.ReadAllBytes(path);
        var refused = 0;
        for (var seed = 0; seed < 500; seed++)
        {
            File.WriteAllBytes(path, Mutate(original, new Random(seed)));
            refused += IsRefused(() => CheckpointFolder.Open(folder).Dispose()) ? 1 : 0;
        }
        Assert.InRange(refused, 100, 500); // most damage matters; a reader that accepts everything would be no reader
    }

    [Fact]
    public void Run_RefusesByNameAndLeavesNothing_WhateverTheWeightsHold()
    {
        var folder = models.Copy(models.Tied);
        var path = Path.Combine(folder, "model.safetensors");
        var original = File.ReadAllBytes(path);
        var header = 8 + BitConverter.ToInt32(original, 0);
        for (var seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            byte[] damaged = [.. Mutate(original.AsSpan(0, header).ToArray(), random), .. original.AsSpan(header)];
            File.WriteAllBytes(path, random.Next(4) == 0 ? damaged[..random.Next(damaged.Length)] : damaged);
            var target = models.New();

            if (IsRefused(() => new DecoderExport().Run(folder, target)))
                Assert.Empty(Directory.GetDirectories(models.Root, Path.GetFileName(target) + "*"));
            else
                Directory.Delete(target, recursive: true);
        }
    }

    private static bool IsRefused(Action open)
    {
        try
        {
            open();
            return false;
        }
        catch (Exception e) when (e is InvalidModelException or UnsupportedModelException)
        {
            Assert.NotEmpty(e.Message);
            return true;
        }
    }

    // Flipped bytes, cut ends, and numbers replaced by others that a reader might stumble over.
    private static byte[] Mutate(byte[] original, Random random)
    {
        var bytes = original.ToArray();
        switch (random.Next(4))
        {
            case 0:
                for (var i = random.Next(1, 5); i > 0; i--)
                    bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                return bytes;
            case 1:
                return bytes[..random.Next(bytes.Length)];
            default:
                string[] values = ["0", "-1", "1e400", "9223372036854775808", "2147483647", "null", "\"x\"", "[]", "{}", "true", "0.5", "[1,[2]]"];
                var text = Encoding.Latin1.GetString(bytes);
                var digits = Enumerable.Range(1, text.Length - 1).Where(i => char.IsAsciiDigit(text[i]) && text[i - 1] is ' ' or ':' or '[' or ',').ToList();
                var at = digits.Count == 0 ? 0 : digits[random.Next(digits.Count)];
                var end = at;
                while (end < text.Length && (char.IsAsciiDigit(text[end]) || text[end] is '.' or 'E' or 'e' or '-'))
                    end++;
                return Encoding.Latin1.GetBytes(text[..at] + values[random.Next(values.Length)] + text[end..]);
        }
    }
}
