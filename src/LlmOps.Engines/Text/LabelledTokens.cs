namespace LlmOps.Engines.Text;

/// <summary>Tokens of one training example.</summary>
/// <param name="Ids">Token ids.</param>
/// <param name="Labelled">For each token, whether training predicts it; the first one cannot be predicted whatever stands here.</param>
public sealed record LabelledTokens(int[] Ids, bool[] Labelled);
