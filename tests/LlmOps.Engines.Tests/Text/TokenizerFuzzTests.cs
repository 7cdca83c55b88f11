using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using LlmOps.Engines.Text;

namespace LlmOps.Engines.Tests.Text;

public sealed class TokenizerFuzzTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    // Each value of a file replaced by values of other kinds, one at a time, and lists without their elements.
    [Theory]
    [InlineData("llama3")]
    [InlineData("llama2")]
    [InlineData("t5")]
    [InlineData("bert")]
    [InlineData("clip")]
    public void Load_NamesTheFault_WhateverAValueIs(string name)
    {
        var json = ReferenceTokenizers.Find(name).Json;
        var random = new Random(7);
        string?[] values = ["null", "true", "-1", "2147483647", "1e300", "\"\"", "\"x y\"", "[]", "{}", "[[]]", "\"\\u0000\"", "\"(\"", "4294967296"];
        foreach (var (path, _) in Values(json, 3).ToList())
        {
            foreach (var value in values.OrderBy(_ => random.Next()).Take(2))
            {
                var changed = json.DeepClone().AsObject();
                Replace(changed, path, value!);
                LoadAndUse(changed.ToJsonString());
            }
        }
    }

    [Fact]
    public void Load_NamesTheFault_WhateverBytesAreChanged()
    {
        var random = new Random(8);
        foreach (var name in new[] { "o200k", "gemma", "unigram-bytes", "pre-tokenizer Split, POSIX sets" })
        {
            var whole = Encoding.UTF8.GetBytes(ReferenceTokenizers.Find(name).Json.ToJsonString());
            for (var round = 0; round < 60; round++)
            {
                var bytes = whole.ToArray();
                for (var changes = random.Next(1, 6); changes > 0; changes--)
                    bytes[random.Next(Math.Min(bytes.Length, random.Next(2) == 0 ? 1500 : bytes.Length))] = (byte)random.Next(256);
                File.WriteAllBytes(folder.At("tokenizer.json"), bytes[..(round % 5 == 0 ? random.Next(bytes.Length) : bytes.Length)]);
                Use();
            }
        }
    }

    private void LoadAndUse(string json)
    {
        File.WriteAllText(folder.At("tokenizer.json"), json);
        Use();
    }

    private void Use()
    {
        try
        {
            var tokenizer = Tokenizer.Load(folder.Root);
            foreach (var text in ReferenceTokenizers.Texts.Take(7))
                tokenizer.Decode(tokenizer.Encode(text, specials: true, addSpecial: true));
        }
        catch (Exception e) when (e is InvalidModelException or UnsupportedModelException or ArgumentException { Message: not "" })
        {
            Assert.NotEmpty(e.Message);
        }
    }

    private static IEnumerable<(string[] Path, JsonNode? Value)> Values(JsonNode node, int perList, params string[] path)
    {
        var children = node switch
        {
            JsonObject o => o.Select(p => (p.Key, p.Value)),
            JsonArray a => a.Select((v, i) => (Key: i.ToString(CultureInfo.InvariantCulture), Value: v)),
            _ => [],
        };
        // Of long lists the first entries stand for all.
        foreach (var (key, value) in children.Take(node is JsonArray || path.LastOrDefault() == "vocab" ? perList : int.MaxValue))
        {
            yield return ([.. path, key], value);
            if (value is not null)
            {
                foreach (var inner in Values(value, perList, [.. path, key]))
                    yield return inner;
            }
        }
    }

    private static void Replace(JsonObject root, string[] path, string value)
    {
        JsonNode at = root;
        foreach (var key in path[..^1])
            at = at is JsonArray list ? list[int.Parse(key, CultureInfo.InvariantCulture)]! : at[key]!;
        if (at is JsonArray array)
            array[int.Parse(path[^1], CultureInfo.InvariantCulture)] = JsonNode.Parse(value);
        else
            at[path[^1]] = JsonNode.Parse(value);
    }
}
