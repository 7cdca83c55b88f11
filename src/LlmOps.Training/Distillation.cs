using LlmOps.Engines;
using LlmOps.Engines.Text;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using LlmOps.Training.Objectives;
using TorchSharp;

namespace LlmOps.Training;

/// <summary>
/// Distillation of a larger model into a smaller one with the same tokenizer (<see cref="DistillationLoss"/>): the student learns the teacher's whole
/// distribution of each next token beside the token itself. The teacher runs in float32 without gradients.
/// </summary>
public sealed record Distillation : ContinuedTraining
{
    /// <summary>Two passes at 1e-3.</summary>
    public Distillation() => (LearningRate, Epochs) = (1e-3, 2);

    /// <summary>T: both distributions are softened by it.</summary>
    public double Temperature { get; init; } = 2;

    /// <summary>α: share of the teacher in the loss, 0 to 1; the rest is the tokens' own cross-entropy. 0 trains without a teacher.</summary>
    public double TeacherShare { get; init; } = 0.5;

    /// <summary>Distils on prompts and completions; only completions count. Otherwise as <see cref="Run(string, string, IReadOnlyList{string}, IReadOnlyList{string}, string, string, IProgress{TrainingStep}?, CancellationToken)"/>.</summary>
    /// <exception cref="InvalidDatasetException">A completion is empty.</exception>
    public TrainingReport Run(
        string teacherFolder, string studentFolder, IReadOnlyList<PromptCompletion> examples, IReadOnlyList<PromptCompletion> heldOut, string targetFolder, string workFolder, IProgress<TrainingStep>? progress = null,
        CancellationToken ct = default)
        => Run(teacherFolder, studentFolder, ([.. examples.Select(CheckedRow.Of)], [.. heldOut.Select(CheckedRow.Of)]), (format, notes) => (Encode(examples, format, notes), Encode(ChooseHeldOut(heldOut), format, HeldOut(notes.Limit))), targetFolder, workFolder, progress, ct);

    /// <summary>Distils on documents and writes a Hugging Face folder. Continues from the work folder when it holds a checkpoint of the same options, data and weights.</summary>
    /// <param name="teacherFolder">The larger model, with its tokenizer.</param>
    /// <param name="studentFolder">The model to train, with the same tokenizer.</param>
    /// <param name="texts">Documents.</param>
    /// <param name="heldOut">Documents that are measured and never trained on; empty for none.</param>
    /// <param name="targetFolder">Receives the student.</param>
    /// <param name="workFolder">Receives checkpoints.</param>
    /// <param name="progress">Called after each step, on the training thread.</param>
    /// <param name="ct">Cancelling saves a checkpoint.</param>
    /// <exception cref="ArgumentException">An option is out of range, the tokenizers differ, or no example fits.</exception>
    /// <exception cref="InvalidModelException">A model folder is incomplete or its tokenizer does not fit.</exception>
    /// <exception cref="TrainingFailedException">The loss became NaN or infinite, or examples are among the held-out ones and that is to be refused.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; the checkpoint is saved.</exception>
    public TrainingReport Run(
        string teacherFolder, string studentFolder, IReadOnlyList<string> texts, IReadOnlyList<string> heldOut, string targetFolder, string workFolder, IProgress<TrainingStep>? progress = null, CancellationToken ct = default)
        => Run(teacherFolder, studentFolder, ([.. texts.Select(CheckedRow.Of)], [.. heldOut.Select(CheckedRow.Of)]), (format, notes) => (Documents(texts, format, notes), Documents(ChooseHeldOut(heldOut), format, HeldOut(notes.Limit))), targetFolder, workFolder, progress, ct);

    private TrainingReport Run(
        string teacherFolder, string studentFolder, (List<CheckedRow> Train, List<CheckedRow> HeldOut) rows, Func<PromptFormat, RowNotes, (List<TokenSequence> Train, List<TokenSequence> HeldOut)> encode, string targetFolder,
        string workFolder, IProgress<TrainingStep>? progress, CancellationToken ct)
    {
        Validate();
        return TrainingThread.Run(Threads, () =>
        {
            using AdaptedModel student = AdaptedModel.Open(studentFolder, Adapter, this);
            using CausalLanguageModel teacher = OpenTeacher(teacherFolder, student);
            teacher.MoveTo(student.Model.Device);
            string teacherSha256 = ModelFolder.Sha256(Path.Combine(teacherFolder, "model.safetensors"));
            int limit = Math.Min(LimitFor(student.Model.Config), LimitFor(teacher.Config));
            var check = new DataCheck(rows.Train, rows.HeldOut, limit, Leakage, ct);
            var (sequences, held) = encode(PromptFormat.Load(studentFolder, student.Tokenizer), check.Notes);
            TrainingDataReport data = check.Report(progress);
            if (sequences.Count == 0) throw new ArgumentException($"No example fits: there are {rows.Train.Count}, and a prompt must leave room for a completion below {limit} tokens.");
            // Scores of both models over the vocabulary are held at once.
            int partTokens = Math.Max(1, Batching.MicroBatch.Tokens(student.Model) / 2);
            List<int> lengths = [.. sequences.Select(s => s.Tokens.Length)];
            List<int[]> steps = Batches(lengths);
            var loop = new TrainingLoop(student.Trainable, new LoopSettings(
                steps.Count, this, workFolder, RunKey.Of(this, $"{student.SourceSha256}|{teacherSha256}", sequences.Select(s => s.Tokens))) { Scaler = student.Model.Scaler })
            {
                HeldOut = held.Count == 0 ? null : () => TrainingLoop.AsHeldOut(Accumulate(student.Model, teacher, held, partTokens, ct, train: false)),
            };
            TrainingReport report = loop.Run(number => Accumulate(student.Model, teacher, [.. steps[number].Select(i => sequences[i])], partTokens, ct), progress, ct);
            var metrics = new Dictionary<string, double>(report.Metrics)
            {
                ["examples"] = sequences.Count, ["dropped_examples"] = rows.Train.Count - sequences.Count,
                ["teacher_parameters"] = teacher.Config.ParameterCount, ["student_parameters"] = student.Model.Config.ParameterCount,
            };
            return report with { WeightsSha256 = student.MergeAndSave(targetFolder), Metrics = metrics, Data = data };
        });
    }

    /// <summary>Adds the gradients of the mean loss per scored token over all examples, or only measures it.</summary>
    internal Accumulated Accumulate(CausalLanguageModel student, CausalLanguageModel teacher, IReadOnlyList<TokenSequence> examples, int partTokens, CancellationToken ct, bool train = true)
    {
        double total = examples.Sum(s => s.Scored), loss = 0, divergence = 0, crossEntropy = 0, teacherEntropy = 0;
        foreach (List<TokenSequence> part in LengthBuckets.MicroBatches(examples, s => s.Tokens.Length, partTokens, MicroBatch > 0 ? MicroBatch : int.MaxValue))
        {
            ct.ThrowIfCancellationRequested();
            using var scope = torch.NewDisposeScope();
            TokenBatch batch = TokenBatch.OfSequences(part, student.Config.PadTokenId);
            torch.Tensor labels = student.Place(batch.Labels), target;
            using (torch.no_grad()) target = Scores(teacher, batch);
            var (each, kl, ce) = DistillationLoss.Of(Scores(student, batch), target, labels, Temperature, TeacherShare);
            torch.Tensor partLoss = each.sum() / total;
            if (train) student.Backward(partLoss);
            loss += partLoss.item<float>();
            divergence += kl.sum().item<float>();
            crossEntropy += ce.sum().item<float>();
            teacherEntropy += torch.nn.functional.cross_entropy(target, labels, reduction: torch.nn.Reduction.Sum).item<float>();
        }
        return new Accumulated(loss, examples.Sum(s => s.Tokens.Length), new Dictionary<string, double>
        {
            ["kl"] = divergence / total, ["cross_entropy"] = crossEntropy / total, ["perplexity"] = Math.Exp(crossEntropy / total), ["teacher_perplexity"] = Math.Exp(teacherEntropy / total),
        });
    }

    private static torch.Tensor Scores(CausalLanguageModel model, TokenBatch batch) => model.Logits(model.Hidden(batch).index_select(0, model.Place(batch.ScoredAt)));

    private static CausalLanguageModel OpenTeacher(string folder, AdaptedModel student)
    {
        CausalLanguageModel teacher = ModelFolder.Load(folder, trainable: false);
        Tokenizer tokenizer = Tokenizer.Load(folder);
        if (teacher.Config.VocabSize == student.Model.Config.VocabSize && tokenizer.Vocabulary.SequenceEqual(student.Tokenizer.Vocabulary) && tokenizer.Merges.SequenceEqual(student.Tokenizer.Merges))
            return teacher;
        teacher.Dispose();
        throw new ArgumentException(
            "Teacher and student must share one tokenizer: a distribution over the teacher's tokens says nothing about other ones. Pretrain the student with the teacher's tokenizer.");
    }

    private static List<TokenSequence> Documents(IReadOnlyList<string> texts, PromptFormat format, RowNotes notes) => Sequences(texts.Count, notes, i => ([], format.Document(texts[i])));

    private static List<TokenSequence> Encode(IReadOnlyList<PromptCompletion> examples, PromptFormat format, RowNotes notes)
        => Sequences(examples.Count, notes, i => (format.Prompt(examples[i].Prompt), format.Completion(examples[i].Completion)));

    private static List<TokenSequence> Sequences(int count, RowNotes notes, Func<int, (int[] Prompt, int[] Answer)> tokens)
    {
        var sequences = new List<TokenSequence>(count);
        for (int i = 0; i < count; i++)
        {
            if (notes.Without.Contains(i)) continue;
            var (prompt, answer) = tokens(i);
            if (notes.HasRoom(i, prompt.Length, answer.Length) && prompt.Length + answer.Length > 1) sequences.Add(PreferencePair.Cut(prompt, answer, notes.Limit));
        }
        return sequences;
    }

    private void Validate()
    {
        Check.Above(Temperature, 0);
        if (TeacherShare is not (>= 0 and <= 1)) throw new ArgumentException($"TeacherShare is {TeacherShare}; it must be between 0 and 1.");
        ValidateContinued();
    }
}
