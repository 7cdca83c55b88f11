namespace LlmOps.Training;

/// <summary>What to do with training rows that are, word by word or nearly, among the held-out ones.</summary>
public enum LeakagePolicy
{
    /// <summary>Say so and train.</summary>
    Warn,
    /// <summary>Do not train.</summary>
    Refuse,
    /// <summary>Train without those rows.</summary>
    Drop,
}

/// <summary>An example of a finding.</summary>
/// <param name="Row">Number of the example, from 1.</param>
/// <param name="Text">How it begins.</param>
public sealed record FoundExample(int Row, string Text);

/// <summary>Something about the data that whoever trains on it should know.</summary>
/// <param name="Name">What: <c>no-room</c>, <c>cut</c>, <c>same-once-cut</c>, <c>duplicate</c>, <c>prompt-in-held-out</c>, <c>role-order</c>, <c>leak-exact</c>, <c>leak-near</c>, <c>leak-contained</c>, <c>contradiction</c>, <c>label-imbalance</c>.</param>
/// <param name="Count">How many examples.</param>
/// <param name="Sentence">The same for people.</param>
/// <param name="First">The first of them.</param>
public sealed record DataFinding(string Name, int Count, string Sentence, IReadOnlyList<FoundExample> First);

/// <summary>What was found in the data before the first step.</summary>
/// <param name="Examples">Examples given to train on.</param>
/// <param name="HeldOut">Held-out examples they were compared with.</param>
/// <param name="DroppedForLeakage">Of the examples those that were left out because they are among the held-out ones.</param>
/// <param name="Findings">Empty when nothing is to be said.</param>
public sealed record TrainingDataReport(int Examples, int HeldOut, int DroppedForLeakage, IReadOnlyList<DataFinding> Findings)
{
    /// <summary>How many examples a finding counts; 0 without it.</summary>
    public int Count(string name) => Findings.FirstOrDefault(f => f.Name == name)?.Count ?? 0;
}
