using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Engines.Text;
using LlmOps.TestKit;

namespace LlmOps.Engines.Tests.Text;

/// <summary>
/// Small tokenizers of every kind with what Hugging Face's library (tokenizers 0.22.2, its native Node.js binding) computes for some texts, once, by hand:
/// ids of each text with control tokens recognised, ids that the post-processor puts around it, and the text decoded where it differs.
/// </summary>
internal static class ReferenceTokenizers
{
    private static readonly JsonObject Root = JsonNode.Parse(File.ReadAllText(RepositoryRoot.Path("tests", "LlmOps.Engines.Tests", "Text", "Reference", "tokenizers.json")))!.AsObject();

    public static string[] Texts { get; } = [.. Root["texts"]!.AsArray().Select(t => t!.GetValue<string>())];

    public static IEnumerable<string> Names => Root["tokenizers"]!.AsArray().Select(t => t!["name"]!.GetValue<string>());

    public static Reference Find(string name)
    {
        var entry = Root["tokenizers"]!.AsArray().Single(t => t!["name"]!.GetValue<string>() == name)!;
        var json = entry["json"]!.DeepClone().AsObject();
        json["model"] = Root["models"]![entry["model"]!.GetValue<string>()]!.DeepClone();
        return new Reference(json, Ids(entry["around"]!), [.. entry["ids"]!.AsArray().Select(i => Ids(i!))], [.. entry["decoded"]!.AsArray().Select((d, i) => d?.GetValue<string>() ?? Texts[i])]);
    }

    public static Tokenizer Load(TemporaryFolder folder, JsonObject json)
    {
        File.WriteAllText(folder.At("tokenizer.json"), json.ToJsonString(new JsonSerializerOptions()));
        return Tokenizer.Load(folder.Root);
    }

    private static int[] Ids(JsonNode ids) => [.. ids.GetValue<string>().Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)];
}

/// <param name="Json">Content of tokenizer.json.</param>
/// <param name="Around">Ids of an empty text with control tokens put around it.</param>
/// <param name="Ids">Ids of each text.</param>
/// <param name="Decoded">Each text decoded from its ids.</param>
internal sealed record Reference(JsonObject Json, int[] Around, int[][] Ids, string[] Decoded);
