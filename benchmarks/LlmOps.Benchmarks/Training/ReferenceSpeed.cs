using LlmOps.Engines.Text;
using LlmOps.Training;
using LlmOps.Training.Adapters;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using LlmOps.Training.Objectives;

namespace LlmOps.Benchmarks.Training;

/// <summary>
/// DPO over three passes: the reference scored anew in every step, once before the first step, or read from the cache of an earlier run. All weights (a
/// frozen copy is the reference) or an adapter (the reference is the model without it).
/// </summary>
internal static class ReferenceSpeed
{
    private const int BatchSize = 16, Batches = 4, Epochs = 3;

    public static void Run(int rounds, int threads)
    {
        (Pretraining options, int vocabulary) = Peer.Sizes("quickstart");
        Tokenizer tokenizer = new BpeTrainer(vocabulary).Train(Peer.Corpus());
        string folder = Directory.CreateTempSubdirectory("llmops-reference-").FullName;
        try
        {
            TorchRuntime.Start(threads);
            using (var model = new CausalLanguageModel(options.Config(tokenizer), trainable: false))
            {
                model.Initialize(1, 0.02);
                ModelFolder.Save(model, folder);
            }
            tokenizer.Save(folder);
            PreferenceExample[] examples = [.. Jsonl.ReadPreferences("pipelines/quickstart/data/preferences.jsonl").Take(BatchSize * Batches)];
            foreach (int rank in new[] { 0, 16 })
            {
                Turns.Print(
                    $"DPO, {(rank == 0 ? "all weights" : "adapter of rank " + rank)}, {threads} threads, {Epochs} passes over {examples.Length} pairs a turn", "pairs/s", rounds,
                    Side("reference in every step", rank, threads, folder, examples, cached: false, null),
                    Side("reference once before", rank, threads, folder, examples, cached: true, null),
                    Side("reference from the cache", rank, threads, folder, examples, cached: true, Path.Combine(folder, "cache")));
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Steps Side(string name, int rank, int threads, string folder, PreferenceExample[] examples, bool cached, string? cache)
    {
        AdaptedModel adapted = AdaptedModel.Open(folder, rank == 0 ? null : new AdapterOptions(rank, 32), new PreferenceAlignment { Seed = 1 });
        List<PreferencePair> pairs = PreferencePair.Encode(examples, PromptFormat.Load(folder, adapted.Tokenizer), adapted.Model.Config.MaxPositionEmbeddings);
        CausalLanguageModel reference = rank == 0 ? ModelFolder.Load(folder, trainable: false) : adapted.Model;
        var step = new PreferenceStep(adapted.Model, new PreferenceLoss(PreferenceObjective.Sigmoid, 0.1), 0, int.MaxValue, MicroBatch.Tokens(adapted.Model));
        List<int[]> batches = LengthBuckets.Epoch([.. pairs.Select(p => p.Length)], BatchSize, 1, 0);
        void Score(IReadOnlyList<PreferencePair> some)
        {
            (var adapter, reference.Adapter) = (reference.Adapter, null);
            PreferencePair.ScoreReference(reference, some, adapted.SourceSha256, cache, default);
            reference.Adapter = adapter;
        }
        return new Steps(
            name, threads, adapted.Trainable, n =>
            {
                PreferencePair[] batch = [.. batches[n % batches.Count].Select(i => pairs[i])];
                if (!cached) Score(batch);
                return step.Accumulate(batch, default);
            },
            batches.Count * Epochs, cached ? () => Score(pairs) : null, () =>
            {
                if (rank == 0) reference.Dispose();
                adapted.Dispose();
            })
        {
            Work = _ => (double)pairs.Count / batches.Count,
        };
    }
}
