using System.Diagnostics;
using System.Globalization;
using System.Text;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Evaluation.Contamination;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;
using LlmOps.Worker;
using LlmOps.Worker.Handlers;
using Microsoft.Extensions.Configuration;

namespace LlmOps.Benchmarks;

/// <summary>
/// What an evaluation costs beside the model: a suite's job (claim, render, score, store each row, metrics with intervals) against the same texts given to the
/// same engine by a loop that keeps nothing. Both load the model and tokenize; they take turns.
/// </summary>
internal static class EvaluationOverhead
{
    public const string Command = "overhead";
    private const int Turns = 5;

    public static async Task RunAsync(int rows)
    {
        var folder = Directory.CreateTempSubdirectory("llmops-overhead-").FullName;
        await using var product = await TestProduct.CreateAsync(DatabaseProvider.Sqlite);
        try
        {
            foreach (var (name, config) in new[] { ("small-lm", Config(256, 6)), ("medium-lm", Config(512, 8)) })
                await MeasureAsync(product, Path.Combine(folder, name), name, config, rows);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static ModelConfig Config(int hidden, int layers) => TinyModels.Config(context: 256) with
    {
        HiddenSize = hidden, IntermediateSize = hidden * 3, NumHiddenLayers = layers, NumAttentionHeads = hidden / 64, NumKeyValueHeads = hidden / 64, HeadDim = 64,
    };

    private static async Task MeasureAsync(TestProduct product, string folder, string name, ModelConfig config, int rows)
    {
        TinyModels.Write(Path.Combine(folder, "checkpoint"), config, seed: 1);
        var onnx = Path.Combine(folder, "fp32");
        new DecoderExport().Run(Path.Combine(folder, "checkpoint"), onnx);
        await using (var db = product.Open())
        {
            var version = await db.AddVersionAsync(new NewVersion(name, "import", await product.Artifacts.PutFolderAsync(Path.Combine(folder, "checkpoint")), config.ParameterCount, "", "", "MIT", "{}", null, null, null), product.Alice, product.Clock.GetUtcNow(), default);
            await db.PutVariantAsync(new NewVariant(version.Id, "fp32", "fp32", await product.Artifacts.PutFolderAsync(onnx), null, "{}", null), product.Alice, product.Clock.GetUtcNow(), default);
            await db.SaveChangesAsync();
        }
        string[] texts = [.. Enumerable.Range(0, rows).Select(Text)];
        var yaml = new StringBuilder($"name: {name}\ntasks:\n  - name: words\n    kind: perplexity\n    chat: false\n    target: \"{{{{ text }}}}\"\n    rows:\n");
        foreach (var text in texts)
            yaml.Append(CultureInfo.InvariantCulture, $"      - text: {text}\n");
        var suite = (await product.Get<SaveSuite>().SaveAsync(yaml.ToString(), product.Alice)).Key;
        var (raw, job) = (new List<double>(), new List<double>());
        for (var turn = -1; turn < Turns; turn++)
        {
            var clock = Stopwatch.StartNew();
            Raw(onnx, texts);
            var first = clock.Elapsed.TotalSeconds;
            await product.Get<StartSuiteRun>().StartAsync(new() { Suite = suite, Version = $"{name}/1", Variants = ["fp32"] }, product.Alice);
            clock.Restart();
            await new EvaluateSuiteHandler(new DatasetFiles(product.Artifacts), product.Artifacts, product.Get<CheckContamination>(), product.Get<Hints>(), WorkerSettings.From(new ConfigurationBuilder().Build())).RunAsync(product.Context(await product.ClaimAsync()), default);
            if (turn < 0)
                continue;       // compiled once
            raw.Add(first);
            job.Add(clock.Elapsed.TotalSeconds);
        }
        var ratios = raw.Zip(job, (r, j) => j / r).Order().ToList();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{name}, {config.ParameterCount / 1e6:f1} million parameters, {rows:N0} rows: the engine alone {Median(raw):f2} s ({raw.Min():f2}–{raw.Max():f2}), the suite's job {Median(job):f2} s ({job.Min():f2}–{job.Max():f2}), ratio {ratios[Turns / 2]:f3} ({ratios[0]:f3}–{ratios[^1]:f3}), n = {Turns}"));
    }

    private static void Raw(string folder, string[] texts)
    {
        using var model = OnnxCausalModel.Load(folder);
        var tokenizer = Tokenizer.Load(folder);
        new SequenceScorer(model).Score([.. texts.Select(t => new ScoreRequest([1, .. tokenizer.Encode(t)], 1))]);
    }

    private static double Median(List<double> of) => of.Order().ElementAt(of.Count / 2);

    /// <summary>No two alike: the scorer works equal texts out once.</summary>
    private static string Text(int i) => $"{i} " + string.Join(' ', Enumerable.Range(0, 8 + i * 7 % 24).Select(k => Words[(i * 31 + k * 17) % Words.Length]));

    private static readonly string[] Words = ["small", "dog", "young", "quick", "brown", "fox", "jumps", "over", "lazy", "word", "unit", "language", "define", "say", "what", "means", "meaning", "people"];
}
