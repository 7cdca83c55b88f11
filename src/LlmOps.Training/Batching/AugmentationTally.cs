using LlmOps.Engines.Text;
using LlmOps.Engines.Text.Augmentation;

namespace LlmOps.Training.Batching;

/// <summary>What augmentation did in a run so far, with the last few examples in both forms.</summary>
internal sealed class AugmentationTally
{
    private const int Kept = 3;

    private readonly SortedDictionary<TextChange, int> changes = [];
    private readonly Queue<TrainingSample> last = new();

    /// <summary>Examples that were trained on in changed form, each epoch counted.</summary>
    public int Examples { get; private set; }

    /// <summary>Changed examples to look at.</summary>
    public IReadOnlyList<TrainingSample> Samples => [.. last.Select((s, i) => s with { Title = $"augmented example {i + 1}" })];

    /// <summary>Counts a changed example.</summary>
    public void Add(AugmentationRecord record, FineTuningExample before, FineTuningExample after)
    {
        Examples++;
        foreach (var (change, count) in record.Changes) changes[change] = changes.GetValueOrDefault(change) + count;
        string done = string.Join(", ", record.Changes.Select(c => $"{AugmentationText.NameOf(c.Key)} {c.Value}"));
        last.Enqueue(new TrainingSample("", $"Example {record.Example + 1}, epoch {record.Epoch + 1}: {done}\nbefore: {before.AllText}\nafter: {after.AllText}"));
        if (last.Count > Kept) last.Dequeue();
    }

    /// <summary>The counts under the names of metrics.</summary>
    public IEnumerable<(string Name, double Value)> Metrics()
        => [("augmented_examples", Examples), .. changes.Select(c => ($"augmentation/{AugmentationText.NameOf(c.Key)}", (double)c.Value))];
}
