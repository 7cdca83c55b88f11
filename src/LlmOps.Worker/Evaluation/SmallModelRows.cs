using LlmOps.Engines.SmallModels;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Training.SmallModels;

namespace LlmOps.Worker.Evaluation;

/// <summary>Rows of a small model's evaluation and the pictures of them.</summary>
public sealed record MeasuredSamples(IReadOnlyList<RowScore> Rows, IReadOnlyList<Engines.Pictures.Picture> Pictures);

/// <summary>Scores samples with a small model, in the training framework or in ONNX Runtime: the same arithmetic for both.</summary>
public static class SmallModelRows
{
    /// <summary>Tasks of small models; the names of the engine's metrics.</summary>
    public static IReadOnlyList<string> Tasks { get; } = [EvaluationTasks.Classification.Name, EvaluationTasks.Classes.Name, EvaluationTasks.Regression.Name, EvaluationTasks.Residuals.Name,
        EvaluationTasks.Reconstruction.Name, EvaluationTasks.EvidenceBound.Name, EvaluationTasks.Denoising.Name];

    public static MeasuredSamples Measure(ModelForm form, Guid run, IReadOnlyList<KeyedSample> samples, CancellationToken ct)
    {
        try
        {
            var scores = Score(form, [.. samples.Select(s => s.Sample)], ct);
            return new([.. scores.Rows.Select(row => new RowScore
            {
                EvaluationRunId = run, Task = row.Metric, RowKey = samples[row.Sample].Key, Value = row.Value, Prompt = samples[row.Sample].Sample.Words, Expected = row.Expected,
                Answer = row.Answer, Slice = row.Slice, DetailJson = row.Statistics is null ? null : Json.Write(new RowStatistics(row.Statistics)),
            })], scores.Pictures);
        }
        catch (ArgumentException e)
        {
            throw LlmOpsException.Invalid($"The samples do not fit the model: {e.Message}");
        }
    }

    private static SmallModelScores Score(ModelForm form, IReadOnlyList<Sample> samples, CancellationToken ct)
    {
        if (form.IsCheckpoint)
        {
            using var model = TorchSmallModel.Load(form.Folder);
            return SmallModelEvaluation.Run(model.Config, model.Run, samples, ct);
        }
        using var session = SmallModelSession.Open(form.Folder);
        return SmallModelEvaluation.Run(session.Config, session.Run, samples, ct);
    }
}
