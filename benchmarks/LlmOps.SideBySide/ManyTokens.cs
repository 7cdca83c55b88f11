using System.Text.Json.Nodes;
using LlmOps.Engines.Text;

namespace LlmOps.SideBySide;

/// <summary>A tokenizer with as many tokens as the model has rows: what a served token costs beside the model depends on their number.</summary>
internal static class ManyTokens
{
    public static void Write(string folder)
    {
        var file = Path.Combine(folder, "tokenizer.json");
        if (File.Exists(file))
            return;
        new BpeTrainer(VocabularySize: 300, MinFrequency: 2).Train(["a small dog is a young dog", "a word is a unit of the language"]).Save(folder);
        var json = JsonNode.Parse(File.ReadAllText(file))!;
        var vocabulary = json["model"]!["vocab"]!.AsObject();
        for (var id = vocabulary.Count; id < RandomLlama.Config().VocabSize; id++)
            vocabulary[$"Q{id}"] = id;
        File.WriteAllText(file, json.ToJsonString());
    }
}
