using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Quantization;
using LlmOps.Engines.SmallModels;
using LlmOps.Training.SmallModels;
using TorchSharp;

namespace LlmOps.Training.Tests.SmallModels;

public sealed class LstmLanguageModelTests : IDisposable
{
    private readonly TinyModel tiny = new();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Cells_ComputeGatesAndStates_AsWrittenOutByHand_AndTheOnnxGraphAgrees(bool tied)
    {
        const int width = 3, vocabulary = 7;
        var config = new LstmConfig(vocabulary, width, width, 2, tied);
        var random = new Random(2);
        Dictionary<string, float[]> weights = config.Tensors().ToDictionary(t => t.Name, t => Enumerable.Range(0, (int)t.Shape.Aggregate(1L, (a, b) => a * b)).Select(_ => 2 * random.NextSingle() - 1).ToArray());
        TrainingThread.Run(2, () =>
        {
            using var parameters = SmallModelFolder.Parameters(config, trainable: false);
            foreach (var (name, values) in weights) values.CopyTo(parameters.ValuesOf(name));
            return SmallModelFolder.Save(config, parameters, tiny.At("hand"));
        });

        int[] ids = [3, 0, 6, 2];
        double[][] x = [.. ids.Select(id => weights["embedding.weight"].Skip(width * id).Take(width).Select(v => (double)v).ToArray())];
        for (int layer = 0; layer < 2; layer++) x = Layer(x, weights[$"lstm.{layer}.weight_ih"], weights[$"lstm.{layer}.weight_hh"], weights[$"lstm.{layer}.bias"]);
        double[] wanted = [.. x.SelectMany(h => Enumerable.Range(0, vocabulary).Select(v => weights["head.bias"][v] + h.Select((value, i) => value * weights[tied ? "embedding.weight" : "head.weight"][v * width + i]).Sum()))];

        using (ICausalModel torchModel = TorchSmallModel.LoadLstm(tiny.At("hand")))
        {
            // The other row is longer: what pads this one must not change it.
            float[] found = torchModel.Logits([ids, [1, 1, 1, 1, 1, 1]])[0];
            Assert.Equal(wanted.Length, found.Length);
            for (int i = 0; i < wanted.Length; i++) Assert.Equal(wanted[i], found[i], 1e-5);
        }
        SmallModelExport.Run(tiny.At("hand"), tiny.At("hand-onnx"));
        using TorchSmallModel torch = TorchSmallModel.Load(tiny.At("hand"));
        ParityReport parity = new SmallModelParity().Run(torch.Run, tiny.At("hand-onnx"), ct: Stop);
        Assert.True(parity.Passed, string.Join(' ', parity.Failures));
        // Logits and both states, for each batch.
        Assert.Equal(12, parity.Cases.Count);
    }

    [Fact]
    public void Gradients_AreThoseOfFiniteDifferences_InDoublePrecision()
    {
        var config = new LstmConfig(5, 2, 3, 2);
        TrainingThread.Run(2, () =>
        {
            var random = new Random(4);
            var weights = config.Tensors().ToDictionary(t => t.Name, t => torch.tensor(Enumerable.Range(0, (int)t.Shape.Aggregate(1L, (a, b) => a * b)).Select(_ => 2 * random.NextDouble() - 1).ToArray(), t.Shape, requires_grad: true));
            var network = new LstmNetwork(config, name => weights[name]);
            torch.Tensor ids = torch.tensor(new long[] { 1, 4, 0, 2, 2, 3 }, [2, 3]), labels = torch.tensor(new long[] { 4, 0, 1, 2, 3, 0 });
            torch.Tensor Loss() => torch.nn.functional.cross_entropy(network.Logits(network.Run(ids).Out.reshape(6, 3)), labels);
            Loss().backward();
            foreach (torch.Tensor weight in weights.Values)
            {
                double[] gradient = weight.grad!.data<double>().ToArray();
                for (int i = 0; i < gradient.Length; i += 3)
                {
                    double Moved(double by)
                    {
                        using var noGradient = torch.no_grad();
                        torch.Tensor flat = weight.view(-1);
                        double before = flat[i].item<double>();
                        flat[i] = before + by;
                        double loss = Loss().item<double>();
                        flat[i] = before;
                        return loss;
                    }
                    Assert.Equal((Moved(1e-5) - Moved(-1e-5)) / 2e-5, gradient[i], 1e-8);
                }
            }
            return 0;
        });
    }

    [Fact]
    public void TwelveTexts_AreLearned_AndBitsPerByteAreTheSameInOnnxRuntime_AndNearlyInEightBits()
    {
        TrainingReport report = new LstmLanguageModel { EmbeddingSize = 48, HiddenSize = 64, Epochs = 400, BatchSize = 12, LearningRate = 1e-2, Threads = 2 }
            .Run(TinyModel.Texts, TinyModel.Texts[..2], tiny.Tokenizer, tiny.At("lstm"), tiny.At("lstm-work"), ct: Stop);

        // Untrained it is the logarithm of the vocabulary, above 5.5.
        Assert.InRange(report.FinalLoss, 0, 1.5);
        SmallModelExport.Run(tiny.At("lstm"), tiny.At("onnx"));
        new DynamicInt8().Run(tiny.At("onnx"), tiny.At("int8"), ct: Stop);
        int[][] documents = [.. TinyModel.Texts.Select(t => Engines.Text.PromptTemplate.Document(tiny.Tokenizer, t))];
        double Nats(ICausalModel model)
        {
            using (model) return new SequenceScorer(model).Score([.. documents.Select(d => new ScoreRequest(d, 1))], null, Stop).Sum(s => -s.LogProbability);
        }

        double reference = Nats(TorchSmallModel.LoadLstm(tiny.At("lstm")));
        Assert.Equal(reference, Nats(LstmCausalModel.Load(tiny.At("onnx"))), 1e-3 * reference);
        Assert.Equal(reference, Nats(LstmCausalModel.Load(tiny.At("int8"))), 0.2 * reference + 1);
        Assert.Throws<Engines.InvalidModelException>(() => LstmCausalModel.Load(tiny.Folder));
    }

    [Fact]
    public void ACancelledRun_GoesOnBitForBit_AndShowsTextsWhileItTrains()
    {
        var options = new LstmLanguageModel { EmbeddingSize = 8, HiddenSize = 12, MaxSteps = 6, Epochs = 20, BatchSize = 4, SampleEverySteps = 3, Threads = 2 };
        var shown = new List<TrainingSample>();
        string whole = options.Run(TinyModel.Texts, [], tiny.Tokenizer, tiny.At("whole"), tiny.At("w1"), new OnStep(s => shown.AddRange(s.Samples)), Stop).WeightsSha256;
        using var cancel = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() => options.Run(TinyModel.Texts, [], tiny.Tokenizer, tiny.At("parts"), tiny.At("w2"), new OnStep(s => { if (s.Step == 3) cancel.Cancel(); }), cancel.Token));

        TrainingReport resumed = options.Run(TinyModel.Texts, [], tiny.Tokenizer, tiny.At("parts"), tiny.At("w2"), null, Stop);

        Assert.Equal((3, whole), (resumed.ResumedFromStep, resumed.WeightsSha256));
        Assert.Equal(6, shown.Count);
        Assert.All(shown, s => Assert.NotEmpty(s.Text));
    }

    public void Dispose() => tiny.Dispose();

    // torch's order of gates: input, forget, cell, output.
    private static double[][] Layer(double[][] xs, float[] input, float[] state, float[] bias)
    {
        int size = bias.Length / 4;
        double[] h = new double[size], c = new double[size];
        var all = new List<double[]>();
        foreach (double[] x in xs)
        {
            double[] gates = [.. bias.Select((b, g) => b + x.Select((v, i) => v * input[g * x.Length + i]).Sum() + h.Select((v, i) => v * state[g * size + i]).Sum())];
            static double Sigmoid(double v) => 1 / (1 + Math.Exp(-v));
            for (int i = 0; i < size; i++) c[i] = Sigmoid(gates[size + i]) * c[i] + Sigmoid(gates[i]) * Math.Tanh(gates[2 * size + i]);
            h = [.. Enumerable.Range(0, size).Select(i => Sigmoid(gates[3 * size + i]) * Math.Tanh(c[i]))];
            all.Add(h);
        }
        return [.. all];
    }
}
