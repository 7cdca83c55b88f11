namespace LlmOps.Training;

/// <summary>A state of a training that was saved and can be gone on from.</summary>
/// <param name="Folder">Its folder, below the work folder; removed when it is no longer among the kept ones.</param>
/// <param name="Step">Steps done.</param>
/// <param name="Loss">Loss of the last step.</param>
/// <param name="HeldOutLoss">The newest held-out loss, when one was measured.</param>
/// <param name="Best">True when no state of the run had a lower held-out loss.</param>
/// <param name="SizeBytes">Bytes on disk.</param>
/// <param name="Sha256">Digest of its buffers, lower-case hex.</param>
public sealed record SavedCheckpoint(string Folder, int Step, double Loss, double? HeldOutLoss, bool Best, long SizeBytes, string Sha256);

/// <summary>
/// A progress that is also asked. A training whose progress implements this can be ended early with its weights kept, and be started from a checkpoint of
/// another run. All calls come on the training thread.
/// </summary>
public interface ITrainingWatch : IProgress<TrainingStep>
{
    /// <summary>True to end after this step as if it had been the last.</summary>
    bool FinishRequested { get; }

    /// <summary>Folder of a checkpoint to start from when the work folder holds none of this run; null to start anew.</summary>
    string? StartFrom { get; }

    /// <summary>The data was looked at; comes before the first step.</summary>
    void Checked(TrainingDataReport report)
    {
    }

    /// <summary>A checkpoint is on disk.</summary>
    void Saved(SavedCheckpoint checkpoint);

    /// <summary>The checkpoint of this step is being removed.</summary>
    void Removed(int step);
}
