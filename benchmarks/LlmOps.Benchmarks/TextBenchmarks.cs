using BenchmarkDotNet.Attributes;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Text;

namespace LlmOps.Benchmarks;

/// <summary>Tokenizer training and encoding on the quickstart's corpus, and the bootstrap behind every interval.</summary>
[MemoryDiagnoser]
public class TextBenchmarks
{
    private readonly double[] rows = [.. Enumerable.Range(0, 1000).Select(i => Math.Sin(i))];
    private List<string> texts = [];
    private Tokenizer? tokenizer;

    [GlobalSetup]
    public void Prepare()
    {
        texts = [.. Jsonl.ReadCorpus(Path.Combine(Root(), "pipelines", "quickstart", "data", "corpus.jsonl")).Select(r => r.Text)];
        tokenizer = new BpeTrainer(3072).Train(texts);
    }

    [Benchmark]
    public int TrainVocabularyOf3072() => new BpeTrainer(3072).Train(texts).VocabularySize;

    [Benchmark]
    public int EncodeCorpus() => texts.Sum(t => tokenizer!.Encode(t).Length);

    [Benchmark]
    public Estimate BootstrapMean() => Bootstrap.Mean(rows);

    private static string Root()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "LlmOps.sln")))
                return folder.FullName;
        throw new InvalidOperationException("Run the benchmarks from within the repository.");
    }
}
