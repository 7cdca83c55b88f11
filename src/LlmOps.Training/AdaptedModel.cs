using LlmOps.Engines;
using LlmOps.Engines.Text;
using LlmOps.Training.Adapters;
using LlmOps.Training.Architectures;

namespace LlmOps.Training;

/// <summary>A model folder opened for training: all weights, or a low-rank adapter over frozen ones.</summary>
internal sealed class AdaptedModel : IDisposable
{
    private readonly string sourceFolder;

    private AdaptedModel(string sourceFolder, LlamaForCausalLM model, Tokenizer tokenizer, LoraAdapter? adapter, string sourceSha256)
        => (this.sourceFolder, Model, Tokenizer, Adapter, SourceSha256) = (sourceFolder, model, tokenizer, adapter, sourceSha256);

    public LlamaForCausalLM Model { get; }

    public Tokenizer Tokenizer { get; }

    public LoraAdapter? Adapter { get; }

    public string SourceSha256 { get; }

    public FlatParameters Trainable => Adapter?.Parameters ?? Model.Parameters;

    /// <summary>Loads the folder; rank 0 trains all weights.</summary>
    public static AdaptedModel Open(string hfFolder, int rank, double alpha, IReadOnlyList<string> targetModules, int seed)
    {
        LlamaForCausalLM model = ModelFolder.Load(hfFolder, trainable: rank == 0);
        try
        {
            Tokenizer tokenizer = Tokenizer.Load(hfFolder);
            if (tokenizer.VocabularySize > model.Config.VocabSize)
            {
                throw new InvalidModelException(
                    $"The tokenizer has {tokenizer.VocabularySize} tokens, the model only {model.Config.VocabSize}: tokenizer and weights in {hfFolder} do not belong together.");
            }
            LoraAdapter? adapter = rank == 0 ? null : new LoraAdapter(model, rank, alpha, targetModules, seed);
            model.Adapter = adapter;
            return new AdaptedModel(hfFolder, model, tokenizer, adapter, ModelFolder.Sha256(Path.Combine(hfFolder, "model.safetensors")));
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
        if (Adapter is not null)
        {
            Adapter.MergeInto(Model);
            Model.Adapter = null;
            foreach (float value in Model.Parameters.Values)
            {
                if (!float.IsFinite(value)) throw new TrainingFailedException("Merging the adapter gave a weight that is not finite.");
            }
        }
        ModelFolder.CopyTokenizer(sourceFolder, targetFolder);
        return ModelFolder.Save(Model, targetFolder);
    }

    public void Dispose()
    {
        Adapter?.Dispose();
        Model.Dispose();
    }
}
