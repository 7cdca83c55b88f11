using LlmOps.Engines;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Text;
using LlmOps.Training.Adapters;
using LlmOps.Training.Architectures;

namespace LlmOps.Training;

/// <summary>A model folder opened for training: all weights, or a low-rank adapter over frozen ones.</summary>
internal sealed class AdaptedModel : IDisposable
{
    /// <summary>Folder beside the merged weights that holds the adapter in PEFT's form.</summary>
    public const string AdapterFolder = "adapter";

    private readonly string sourceFolder;
    private readonly bool scores;

    private AdaptedModel(string sourceFolder, bool scores, CausalLanguageModel model, Tokenizer tokenizer, LoraAdapter? adapter, string sourceSha256)
        => (this.sourceFolder, this.scores, Model, Tokenizer, Adapter, SourceSha256) = (sourceFolder, scores, model, tokenizer, adapter, sourceSha256);

    public CausalLanguageModel Model { get; }

    public Tokenizer Tokenizer { get; }

    public LoraAdapter? Adapter { get; }

    public string SourceSha256 { get; }

    public FlatParameters Trainable => Adapter?.Parameters ?? Model.Parameters;

    /// <summary>Loads the folder; without an adapter all weights are trained. The adapter's seed is that of the training.</summary>
    /// <param name="hfFolder">The folder.</param>
    /// <param name="shape">Shape of the adapter.</param>
    /// <param name="options">Options of the training.</param>
    /// <param name="scores">Whether the model has, or gets, a reward's head, which is trained whole beside an adapter.</param>
    public static AdaptedModel Open(string hfFolder, AdapterOptions? shape, LoopOptions options, bool scores = false)
    {
        CausalLanguageModel model = scores ? ModelFolder.LoadScored(hfFolder, trainable: shape is null) : ModelFolder.Load(hfFolder, trainable: shape is null);
        (model.Precision, model.RecomputeActivations) = (options.Precision, options.RecomputeActivations);
        try
        {
            Tokenizer tokenizer = Tokenizer.Load(hfFolder);
            if (tokenizer.VocabularySize > model.Config.VocabSize)
            {
                throw new InvalidModelException(
                    $"The tokenizer has {tokenizer.VocabularySize} tokens, the model only {model.Config.VocabSize}: tokenizer and weights in {hfFolder} do not belong together.");
            }
            LoraAdapter? adapter = shape is null ? null : new LoraAdapter(model, shape with { Seed = options.Seed }, scores ? [ScoreHead.TensorName] : []);
            model.Adapter = adapter;
            model.MoveTo(TorchRuntime.DeviceOf(options.Device));
            if (options.Precision == Precision.Float16) model.Scaler = new LossScaler();
            return new AdaptedModel(hfFolder, scores, model, tokenizer, adapter, ModelFolder.WeightsSha256(hfFolder));
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Merges the adapter and writes the model with the source's tokenizer.</summary>
    /// <returns>SHA-256 of the written weights.</returns>
    public string MergeAndSave(string targetFolder)
    {
        Model.MoveTo(TorchSharp.torch.CPU);
        if (Adapter is not null)
        {
            // The adapter alone stays usable: beside a quantized base, or merged again elsewhere. One with a head beside it is none that the others could load.
            if (!scores) Adapter.Save(Path.Combine(targetFolder, AdapterFolder));
            Adapter.MergeInto(Model);
            Model.Adapter = null;
            foreach (float value in Model.Parameters.Values)
            {
                if (!float.IsFinite(value)) throw new TrainingFailedException("Merging the adapter gave a weight that is not finite.");
            }
        }
        ModelFolder.CopyTokenizer(sourceFolder, targetFolder);
        string weights = ModelFolder.Save(Model, targetFolder);
        if (scores) ScoreHead.Mark(targetFolder, Model.Config);
        return weights;
    }

    public void Dispose()
    {
        Adapter?.Dispose();
        Model.Dispose();
    }
}
