using System.Security.Cryptography;
using System.Text;
using LlmOps.Engines.Text;
using LlmOps.Engines.Text.Formats;

namespace LlmOps.Training.Batching;

/// <summary>Looks at the examples of a fine-tuning before the first step and counts what whoever trains on them should know. Keeps digests, not texts.</summary>
internal static class FineTuningCheck
{
    /// <summary>Examples shown of each finding.</summary>
    public const int Shown = 3;

    /// <summary>Findings about the examples themselves and against the held-out ones; leakage is another matter (<see cref="LeakageCheck"/>).</summary>
    /// <param name="examples">Examples to train on.</param>
    /// <param name="notes">What was noted while they were made into tokens.</param>
    /// <param name="heldOut">Held-out examples.</param>
    public static List<DataFinding> Run(IReadOnlyList<FineTuningExample> examples, RowNotes notes, IEnumerable<FineTuningExample> heldOut)
    {
        var (seen, prompts) = (new HashSet<UInt128>(), heldOut.Where(e => e.PromptText.Length > 0).Select(e => Digest(e.PromptText)).ToHashSet());
        var (duplicates, known, disorder) = (new Finding(), new Finding(), new Finding());
        for (int i = 0; i < examples.Count; i++)
        {
            if (notes.Without.Contains(i)) continue;
            FineTuningExample example = examples[i];
            if (!seen.Add(Digest(example.AllText))) duplicates.Add(i, example.AllText);
            if (prompts.Count > 0 && example.PromptText.Length > 0 && prompts.Contains(Digest(example.PromptText))) known.Add(i, example.PromptText);
            if (example is ConversationExample conversation && Turns.Disorder(conversation.Turns) is { } problem) disorder.Add(i, $"{problem}: {conversation.Turns[0].Content}");
        }
        var (noRoom, cut, same) = (new Finding(), new Finding(), new Finding());
        foreach (int i in notes.WithoutRoom) noRoom.Add(i, () => examples[i].AllText);
        foreach (int i in notes.Cut) cut.Add(i, () => examples[i].AllText);
        foreach (int i in notes.SameOnceCut) same.Add(i, () => examples[i].AllText);
        return
        [
            .. noRoom.As("no-room", n => $"{n} {Are(n)} left out: the prompt fills the {notes.Limit} tokens that a sequence may have."),
            .. cut.As("cut", n => $"{n} {Are(n)} longer than {notes.Limit} tokens and cut there."),
            .. same.As("same-once-cut", n => $"{n} {(n == 1 ? "pair has" : "pairs have")} the same two answers within {notes.Limit} tokens, so nothing to prefer is left."),
            .. duplicates.As("duplicate", n => $"{n} {Are(n)} in the training rows more than once."),
            .. known.As("prompt-in-held-out", n => $"{n} {(n == 1 ? "example has a prompt" : "examples have prompts")} that a held-out row has too."),
            .. disorder.As("role-order", n => $"{n} {(n == 1 ? "conversation does" : "conversations do")} not alternate between user and assistant."),
        ];
    }

    /// <summary>How a text begins, on one line.</summary>
    public static string Beginning(string text)
    {
        string line = string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Take(40));
        return line.Length <= 120 ? line : line[..120] + "…";
    }

    private static string Are(int n) => n == 1 ? "example is" : "examples are";

    public static UInt128 Digest(string text) => BitConverter.ToUInt128(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    /// <summary>Rows that have something in common, of which the first are kept.</summary>
    internal sealed class Finding
    {
        private readonly List<FoundExample> first = [];
        private int count;

        public void Add(int index, string text) => Add(index, () => text);

        public void Add(int index, Func<string> text)
        {
            if (++count <= Shown) first.Add(new FoundExample(index + 1, Beginning(text())));
        }

        public IEnumerable<DataFinding> As(string name, Func<int, string> sentence) => count == 0 ? [] : [new DataFinding(name, count, sentence(count), first)];
    }
}
