using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmOps.Engines.Text.Formats;

/// <summary>Rows of any format as the rows that this product stores, with the columns that everything downstream reads.</summary>
public static class CanonicalRow
{
    private static readonly JsonSerializerOptions Format = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    // What the mapped columns were made of; all else stays.
    private static readonly string[] Consumed = ["messages", "given", "instruction", "input", "output", "system", "history", "conversations", "kto_tag", "prompt", "completion", "chosen", "rejected", "label"];

    /// <summary>
    /// A row to learn from as <c>prompt</c> and <c>completion</c>. A conversation stays beside them in <c>messages</c> (with <c>given</c>, the turns that are not learnt):
    /// training reads it, and the two texts are its last answer and what came before.
    /// </summary>
    /// <exception cref="InvalidDatasetException">As for <see cref="RowReader.FineTuning"/>; a text alone is a row of a corpus.</exception>
    public static string Instruction(JsonlRow row)
    {
        var node = Rest(row);
        switch (RowReader.FineTuning(row))
        {
            case AnswerExample answer:
                (node["prompt"], node["completion"]) = (answer.Prompt, answer.Completion);
                break;
            case ConversationExample talk:
                var last = talk.LastAnswer;
                if (last == 0)
                    throw new InvalidDatasetException("the conversation begins with the assistant; somebody has to ask first.", row.Line);
                (node["prompt"], node["completion"]) = (Turns.Transcript([.. talk.Turns.Take(last)]), talk.Turns[last].Content);
                node["messages"] = new JsonArray([.. talk.Turns.Select(t => new JsonObject { ["role"] = t.Role, ["content"] = t.Content })]);
                if (talk.Given > 0)
                    node["given"] = talk.Given;
                break;
            default:
                throw new InvalidDatasetException("texts without a question are rows of a corpus. Import them as Corpus; fine-tuning takes a corpus as well.", row.Line);
        }
        return node.ToJsonString(Format);
    }

    /// <summary>A pair as <c>prompt</c>, <c>chosen</c>, <c>rejected</c>. A prompt of several turns becomes a transcript.</summary>
    /// <exception cref="InvalidDatasetException">As for <see cref="RowReader.Preference"/>.</exception>
    public static string Preference(JsonlRow row)
    {
        var (node, pair) = (Rest(row), RowReader.Preference(row));
        (node["prompt"], node["chosen"], node["rejected"]) = (pair.Prompt, pair.Chosen, pair.Rejected);
        return node.ToJsonString(Format);
    }

    /// <summary>A marked answer as <c>prompt</c>, <c>completion</c>, <c>label</c>.</summary>
    /// <exception cref="InvalidDatasetException">As for <see cref="RowReader.Unpaired"/>.</exception>
    public static string Unpaired(JsonlRow row)
    {
        var (node, marked) = (Rest(row), RowReader.Unpaired(row));
        (node["prompt"], node["completion"], node["label"]) = (marked.Prompt, marked.Completion, marked.Label);
        return node.ToJsonString(Format);
    }

    private static JsonObject Rest(JsonlRow row)
    {
        var node = new JsonObject();
        foreach (var property in row.Row.EnumerateObject().Where(p => !Consumed.Contains(p.Name)).DistinctBy(p => p.Name))
            node[property.Name] = JsonNode.Parse(property.Value.GetRawText());
        return node;
    }
}
