using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.Inference;

/// <summary>Opens a model that was just written and compares it with its source: a file that was not run again does not count as written.</summary>
internal static class ReloadCheck
{
    /// <exception cref="InvalidModelException">The result does not open or gives values that are not finite.</exception>
    public static LogitDifference Compare(string sourceFolder, string resultFolder, SessionSettings resultSettings, CancellationToken ct)
    {
        using var result = OnnxCausalModel.Load(resultFolder, resultSettings);
        using var source = OnnxCausalModel.Load(sourceFolder);
        var random = new Random(0);
        var length = Math.Min(32, source.MaxLength);
        var difference = new LogitDifference();
        for (var i = 0; i < 4; i++)
        {
            ct.ThrowIfCancellationRequested();
            var tokens = Enumerable.Range(0, length).Select(_ => random.Next(source.VocabularySize)).ToArray();
            difference.Add(source.Logits([tokens])[0], result.Logits([tokens])[0], source.VocabularySize);
        }
        return difference.IsFinite ? difference : throw new InvalidModelException("The written model gives logits that are not finite numbers.");
    }
}
