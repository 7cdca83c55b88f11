namespace LlmOps.Engines.Pictures;

/// <summary>A picture with what it shows.</summary>
/// <param name="Title">One line for people.</param>
/// <param name="Png">The file.</param>
public sealed record Picture(string Title, byte[] Png);
