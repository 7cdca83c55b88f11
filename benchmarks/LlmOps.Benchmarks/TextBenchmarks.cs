using BenchmarkDotNet.Attributes;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Text;

namespace LlmOps.Benchmarks;

/// <summary>Tokenizer training and encoding on the quickstart's corpus, and the bootstrap behind every interval.</summary>
[MemoryDiagnoser]
public class TextBenchmarks
{
    private readonly double[] rows = [.. Enumerable.Range(0, 1000).Select(i => Math.Sin(i))];
    private readonly string folder = Directory.CreateTempSubdirectory("llmops-benchmark-").FullName;
    private List<string> texts = [];
    private List<int[]> encoded = [];
    private Tokenizer? tokenizer;

    [GlobalSetup]
    public void Prepare()
    {
        texts = [.. Jsonl.ReadCorpus(Path.Combine(Root(), "pipelines", "quickstart", "data", "corpus.jsonl")).Select(r => r.Text)];
        tokenizer = new BpeTrainer(3072).Train(texts);
        tokenizer.Save(folder);
        encoded = [.. texts.Select(t => tokenizer.Encode(t))];
        Console.WriteLine($"The corpus has {texts.Sum(t => System.Text.Encoding.UTF8.GetByteCount(t)):N0} bytes.");
    }

    [GlobalCleanup]
    public void CleanUp() => Directory.Delete(folder, recursive: true);

    [Benchmark]
    public int TrainVocabularyOf3072() => new BpeTrainer(3072).Train(texts).VocabularySize;

    /// <summary>Bytes of the corpus by the time of this are the throughput.</summary>
    [Benchmark]
    public int EncodeCorpus() => texts.Sum(t => tokenizer!.Encode(t).Length);

    /// <summary>The same from an empty word cache, with the making of the tokenizer.</summary>
    [Benchmark]
    public int LoadAndEncodeCorpus()
    {
        var loaded = Tokenizer.Load(folder);
        return texts.Sum(t => loaded.Encode(t).Length);
    }

    [Benchmark]
    public int DecodeCorpus() => encoded.Sum(ids => tokenizer!.Decode(ids).Length);

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
