namespace LlmOps.SideBySide;

/// <summary>One loaded model that continues one sequence.</summary>
internal interface IEngine : IDisposable
{
    /// <summary>What is being measured, in words.</summary>
    string Description { get; }

    /// <summary>Forgets the sequence.</summary>
    void Reset();

    /// <summary>Appends tokens and returns the logits after the last one; valid until the next call.</summary>
    ReadOnlySpan<float> Append(ReadOnlySpan<int> tokens);
}
