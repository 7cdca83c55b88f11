using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Quantization;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;

namespace LlmOps.Worker;

/// <summary>A corpus as tokens of one model: training texts show the activations, held-out texts measure what a quantization changed. No text is both.</summary>
public sealed record CalibrationTexts(CalibrationTokens Tokens, IReadOnlyList<TokenRow> HeldOut)
{
    public static async Task<CalibrationTexts> LoadAsync(LlmOpsDb db, DatasetFiles files, string corpus, string folder, int calibrationRows, int comparisonRows, CancellationToken ct)
    {
        var version = await db.DatasetVersions.GetAsync(corpus, ct);
        var tokenizer = Tokenizer.Load(folder);
        var format = PromptFormat.Load(folder, tokenizer);
        var longest = ModelConfig.Read(folder).MaxPositionEmbeddings;
        List<(string Text, int[] Tokens)> Encode(IEnumerable<CorpusText> rows, int most) =>
            [.. rows.Select(r => (r.Text, Tokens: format.Document(r.Text))).Where(r => r.Tokens.Length >= 2 && r.Tokens.Length <= longest).Take(most)];
        var train = Encode(await files.TrainAsync<CorpusText>(version, ct), calibrationRows);
        var heldOut = Encode(await files.HeldOutAsync<CorpusText>(version, ct), comparisonRows);
        if (train.Count < 2 || heldOut.Count == 0)
            throw LlmOpsException.Invalid($"{corpus} has {train.Count} training and {heldOut.Count} held-out texts that fit into the model's context of {longest} tokens; calibration needs 2 and comparing needs 1.");
        return new(new([.. train.Select(r => r.Tokens)]), [.. heldOut.Select(r => new TokenRow(r.Tokens, Math.Max(1, System.Text.Encoding.UTF8.GetByteCount(r.Text))))]);
    }
}
