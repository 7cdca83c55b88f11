namespace LlmOps.Training.Batching;

/// <summary>What is noted about rows while they are made into tokens, by their numbers from 0.</summary>
/// <param name="limit">Tokens that a row may have.</param>
internal sealed class RowNotes(int limit)
{
    /// <summary>Tokens that a row may have.</summary>
    public int Limit { get; } = limit;

    /// <summary>What the rows are, for messages about all of them.</summary>
    public string Of { get; init; } = "";

    /// <summary>Rows that are left out from the start.</summary>
    public IReadOnlySet<int> Without { get; init; } = new HashSet<int>();

    /// <summary>Rows left out because their prompt fills the limit.</summary>
    public List<int> WithoutRoom { get; } = [];

    /// <summary>Rows that were longer than the limit.</summary>
    public List<int> Cut { get; } = [];

    /// <summary>Pairs whose answers are the same in what the limit leaves of them.</summary>
    public List<int> SameOnceCut { get; } = [];

    /// <summary>Whether the prompt leaves room for an answer; notes it when it does not, and when the answer is cut.</summary>
    public bool HasRoom(int row, int promptTokens, int answerTokens)
    {
        if (promptTokens >= Limit) WithoutRoom.Add(row);
        else if (promptTokens + answerTokens > Limit) Cut.Add(row);
        return promptTokens < Limit;
    }
}
