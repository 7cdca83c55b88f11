namespace LlmOps.Engines.Evaluation;

/// <summary>A text as tokens.</summary>
/// <param name="Tokens">Ids; all but the first are scored, so at least 2.</param>
/// <param name="Bytes">UTF-8 bytes of the scored part, for bits per byte: the only form of likelihood that is comparable between tokenizers.</param>
public sealed record TokenRow(int[] Tokens, int Bytes);
