namespace LlmOps.Engines;

/// <summary>
/// A model's files are damaged or contradict each other: a truncated tensor file, a tensor whose shape is not what the configuration says.
/// The message names the file or tensor and what was expected; it is meant to be shown to the person who brought the model.
/// </summary>
public sealed class InvalidModelException : Exception
{
    /// <summary>States what is wrong.</summary>
    public InvalidModelException(string message) : base(message) { }

    /// <summary>States what is wrong, with the error that revealed it.</summary>
    public InvalidModelException(string message, Exception innerException) : base(message, innerException) { }
}
