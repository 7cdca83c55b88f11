namespace LlmOps.Engines.Text;

/// <summary>A row of a dataset cannot be used; the message names line and reason and is meant for the person who brought the data.</summary>
/// <param name="message">What is wrong with the row.</param>
/// <param name="line">Line in the file, from 1.</param>
public sealed class InvalidDatasetException(string message, int line) : Exception($"Line {line}: {message}")
{
    /// <summary>Line in the file, from 1.</summary>
    public int Line { get; } = line;

    /// <summary>What is wrong with the row, without the line number.</summary>
    public string Reason { get; } = message;
}
