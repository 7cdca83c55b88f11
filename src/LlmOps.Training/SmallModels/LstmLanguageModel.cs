using System.Text;
using LlmOps.Engines.SmallModels;
using LlmOps.Engines.Text;
using LlmOps.Training.Architectures;
using LlmOps.Training.Batching;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace LlmOps.Training.SmallModels;

/// <summary>Trains an <see cref="LstmConfig"/> from nothing: next-token cross-entropy over whole texts, each beginning with an empty state.</summary>
public sealed record LstmLanguageModel : LoopOptions
{
    private const int PassTokens = 4096, SampleTokens = 40;

    /// <summary>Options that suit a few thousand short texts.</summary>
    public LstmLanguageModel() => (LearningRate, Epochs, BatchSize) = (5e-3, 2, 64);

    /// <summary>Width of a token's vector.</summary>
    public int EmbeddingSize { get; init; } = 128;

    /// <summary>Cells of each layer.</summary>
    public int HiddenSize { get; init; } = 192;

    /// <summary>Layers, one above the other.</summary>
    public int Layers { get; init; } = 1;

    /// <summary>True when the head reads the embedding's own matrix; both widths must then be equal.</summary>
    public bool TieEmbeddings { get; init; }

    /// <summary>Longer texts are cut, in tokens.</summary>
    public int ContextLength { get; init; } = 64;

    /// <summary>Randomness of the texts that are shown while it trains: 0 always takes the likeliest token.</summary>
    public double Temperature { get; init; } = 0.7;

    /// <summary>Trains and writes a checkpoint folder with the tokenizer. Continues from the work folder when it holds a checkpoint of the same options and data.</summary>
    /// <param name="texts">Documents.</param>
    /// <param name="heldOut">Documents that are measured and never trained on; empty for none.</param>
    /// <param name="tokenizer">Gives the vocabulary and the special tokens; saved with the model.</param>
    /// <param name="targetFolder">Receives the model.</param>
    /// <param name="workFolder">Receives checkpoints.</param>
    /// <param name="progress">Called after each step, on the training thread.</param>
    /// <param name="ct">Cancelling saves a checkpoint.</param>
    /// <exception cref="ArgumentException">An option is out of range, or there is no text.</exception>
    /// <exception cref="TrainingFailedException">The loss became NaN or infinite.</exception>
    public TrainingReport Run(
        IReadOnlyList<string> texts, IReadOnlyList<string> heldOut, Tokenizer tokenizer, string targetFolder, string workFolder, IProgress<TrainingStep>? progress = null, CancellationToken ct = default)
    {
        Check.AtLeast(ContextLength, 4);
        Check.Within(Temperature, 0, 10);
        ValidateLoop();
        var config = new LstmConfig(tokenizer.VocabularySize, EmbeddingSize, HiddenSize, Layers, TieEmbeddings);
        config.EnsureValid();
        List<TokenSequence> documents = Encode(texts, tokenizer);
        if (documents.Count == 0) throw new ArgumentException("There is no text to train on.", nameof(texts));
        IReadOnlyList<string> chosen = ChooseHeldOut(heldOut);
        List<TokenSequence> held = Encode(chosen, tokenizer);
        return TrainingThread.Run(Threads, () =>
        {
            int[] lengths = [.. documents.Select(d => d.Tokens.Length)];
            List<int[]> steps = [.. Enumerable.Range(0, Epochs).SelectMany(epoch => LengthBuckets.Epoch(lengths, BatchSize, Seed, epoch)).Take(MaxSteps > 0 ? MaxSteps : int.MaxValue)];
            using FlatParameters parameters = SmallModelFolder.Parameters(config, trainable: true);
            Initialize(parameters, config);
            var network = new LstmNetwork(config, name => parameters[name]);
            var loop = new TrainingLoop(parameters, new LoopSettings(steps.Count, this, workFolder, RunKey.Of(this, "", documents.Select(d => d.Tokens))))
            {
                HeldOut = held.Count == 0 ? null : () => HeldOutOf(network, held, ct),
                Samples = () => Samples(network, tokenizer),
            };
            TrainingReport report = loop.Run(step => Measure(network, [.. steps[step].Select(i => documents[i])], train: true, ct), progress, ct);
            tokenizer.Save(targetFolder);
            return report with { WeightsSha256 = SmallModelFolder.Save(config, parameters, targetFolder) };
        });

        IReadOnlyDictionary<string, double> HeldOutOf(LstmNetwork network, List<TokenSequence> rows, CancellationToken stop)
        {
            Accumulated measured = Measure(network, rows, train: false, stop);
            double bytes = rows.Sum(r => (double)Encoding.UTF8.GetByteCount(tokenizer.Decode(r.Tokens)));
            return new Dictionary<string, double>(TrainingLoop.AsHeldOut(measured)) { ["held_out_bits_per_byte"] = measured.Loss * rows.Sum(r => r.Scored) / Math.Log(2) / Math.Max(1, bytes) };
        }
    }

    private List<TokenSequence> Encode(IReadOnlyList<string> texts, Tokenizer tokenizer) =>
        [.. texts.Select(t => PromptTemplate.Document(tokenizer, t)).Where(d => d.Length > 2).Select(d => new TokenSequence(d.Length > ContextLength ? d[..ContextLength] : d, 1))];

    /// <summary>Mean loss per token over the rows; training adds its gradients.</summary>
    private Accumulated Measure(LstmNetwork network, IReadOnlyList<TokenSequence> rows, bool train, CancellationToken ct)
    {
        double total = rows.Sum(r => r.Scored), loss = 0;
        int tokens = 0;
        foreach (List<TokenSequence> part in LengthBuckets.MicroBatches(rows.OrderBy(r => r.Tokens.Length), r => r.Tokens.Length, PassTokens, MicroBatch > 0 ? MicroBatch : int.MaxValue))
        {
            ct.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            TokenBatch batch = TokenBatch.OfSequences(part, 0);
            Tensor states = network.Run(tensor(batch.Ids, [batch.Rows, batch.Length])).Out.reshape(batch.Rows * batch.Length, HiddenSize);
            // Divided by the tokens of the whole step: parts of unequal size would otherwise weigh their tokens differently.
            Tensor partLoss = F.cross_entropy(network.Logits(states.index_select(0, tensor(batch.ScoredAt))), tensor(batch.Labels), reduction: nn.Reduction.Sum) / total;
            if (train) partLoss.backward();
            loss += partLoss.item<float>();
            tokens += batch.Tokens;
        }
        return new Accumulated(loss, tokens, new Dictionary<string, double> { ["perplexity"] = Math.Exp(loss) });
    }

    /// <summary>Three texts from the beginning, drawn with the same numbers at every step, so that what changes is the model.</summary>
    private IReadOnlyList<TrainingSample> Samples(LstmNetwork network, Tokenizer tokenizer)
    {
        var made = new List<TrainingSample>();
        for (int i = 0; i < 3; i++)
        {
            var random = new CounterRandom(Seed, -2, i);
            var (ids, last) = (new List<int>(), PromptTemplate.Document(tokenizer, "")[0]);
            Tensor? hidden = null, cell = null;
            while (ids.Count < SampleTokens)
            {
                (Tensor states, hidden, cell) = network.Run(tensor(new long[] { last }, [1, 1]), hidden, cell);
                last = Next(network.Logits(states.reshape(1, HiddenSize)).data<float>().ToArray(), ref random);
                if (last == tokenizer.EosId) break;
                ids.Add(last);
            }
            made.Add(new TrainingSample($"Text {i + 1}", ids.Count == 0 ? "(nothing)" : tokenizer.Decode(ids)));
        }
        return made;
    }

    private int Next(float[] logits, ref CounterRandom random)
    {
        if (Temperature == 0) return logits.Index().MaxBy(l => l.Item).Index;
        float most = logits.Max();
        double[] weights = Array.ConvertAll(logits, l => Math.Exp((l - most) / Temperature));
        double left = random.NextDouble() * weights.Sum();
        for (int i = 0; i < weights.Length; i++)
        {
            if ((left -= weights[i]) < 0) return i;
        }
        return weights.Length - 1;
    }

    /// <summary>Matrices of the cells from U(−1/√hidden, 1/√hidden), the forget gate's bias 1 so that cells begin by remembering (Jozefowicz et al. 2015), the embedding from N(0, 0.1²).</summary>
    private void Initialize(FlatParameters parameters, LstmConfig config)
    {
        foreach (var (index, shape) in parameters.Shapes.Index())
        {
            Span<float> target = parameters.ValuesOf(shape.Name);
            var random = new CounterRandom(Seed, -1, index);
            if (shape.Name.StartsWith("lstm.", StringComparison.Ordinal) && shape.Shape.Length == 1) target.Slice(config.HiddenSize, config.HiddenSize).Fill(1);
            else if (shape.Shape.Length == 1) target.Clear();
            else if (shape.Name.StartsWith("embedding.", StringComparison.Ordinal))
            {
                random.Gaussian(target);
                foreach (ref float value in target) value *= 0.1f;
            }
            else foreach (ref float value in target) value = (float)((2 * random.NextDouble() - 1) / Math.Sqrt(config.HiddenSize));
        }
    }
}
