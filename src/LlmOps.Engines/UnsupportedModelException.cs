namespace LlmOps.Engines;

/// <summary>
/// A model is well-formed but asks for something that this library does not do: another architecture, another activation, another tokenizer.
/// The message names the setting and the values that are supported.
/// </summary>
public sealed class UnsupportedModelException : Exception
{
    /// <summary>States what is not supported.</summary>
    public UnsupportedModelException(string message) : base(message) { }

    /// <summary>States what is not supported, with the error that revealed it.</summary>
    public UnsupportedModelException(string message, Exception innerException) : base(message, innerException) { }
}
