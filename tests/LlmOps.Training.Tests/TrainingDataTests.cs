using System.Collections;
using System.Runtime.CompilerServices;
using System.Text.Json;
using LlmOps.Engines.Text;
using LlmOps.Engines.Text.Formats;
using LlmOps.Training.Batching;

namespace LlmOps.Training.Tests;

public sealed class TrainingDataTests : IDisposable
{
    private readonly TinyModel tiny = new();

    [Fact]
    public void Findings_CountWhatIsInTheData_AndNameTheFirst()
    {
        FineTuningExample[] examples =
        [
            new AnswerExample("b", "c"), new AnswerExample("d", "e"), new AnswerExample("b", "c"), new AnswerExample("b", "c"),
            new AnswerExample(new string('b', 40), "c"), new AnswerExample("f", new string('c', 40)),
            new ConversationExample([new("user", "g"), new("user", "h"), new("assistant", "i")]),
        ];
        FineTuningExample[] heldOut = [new AnswerExample("d", "k")];
        var set = new FineTuningSet(examples, Encoder(limit: 20));

        List<DataFinding> findings = FineTuningCheck.Run(examples, set.Notes, heldOut);

        Assert.Equal(["no-room 1 5", "cut 1 6", "duplicate 2 3,4", "prompt-in-held-out 1 2", "role-order 1 7"],
            findings.Select(f => $"{f.Name} {f.Count} {string.Join(',', f.First.Select(e => e.Row))}"));
        Assert.Contains("two turns of user", findings[^1].First[0].Text, StringComparison.Ordinal);
        Assert.Equal(6, set.Lengths.Count);
        Assert.Equal(20, set.Lengths.Max());
    }

    [Fact]
    public void Findings_AreEmpty_ForCleanData()
    {
        FineTuningExample[] examples = [new AnswerExample("b", "c"), new ConversationExample([new("user", "g"), new("assistant", "i")])];

        Assert.Empty(FineTuningCheck.Run(examples, new FineTuningSet(examples, Encoder()).Notes, [new AnswerExample("x", "y")]));
    }

    [Fact]
    public void Leakage_FindsExactNearAndContainedRows_AndDropsAllThatAreAlike()
    {
        const string sentence = "the old mill by the river grinds corn for every farm in the valley and sells what is left at the market on friday";
        const string other = "a ship without a crew drifted into the harbour at night and nobody in the town could say where it had come from";
        const string third = "when the first snow falls the children of the village carry their sledges up the hill behind the church before school";
        string near = sentence.Replace("friday", "monday", StringComparison.Ordinal);
        string[] train = ["nothing in common with them", sentence, "The old mill: " + sentence[13..], near, $"{third} and then {other} which made the papers", "another row that stays"];
        string[] heldOut = [sentence.ToUpperInvariant() + ".", other, "a row that only measures"];

        var (findings, none) = LeakageCheck.Run(() => train, () => heldOut, LeakagePolicy.Warn, CancellationToken.None);
        var (_, dropped) = LeakageCheck.Run(() => train, () => heldOut, LeakagePolicy.Drop, CancellationToken.None);
        var refusal = Assert.Throws<TrainingFailedException>(() => LeakageCheck.Run(() => train, () => heldOut, LeakagePolicy.Refuse, CancellationToken.None));

        Assert.Equal(["leak-exact 1 1", "leak-contained 1 2"], findings.Select(f => $"{f.Name} {f.Count} {string.Join(',', f.First.Select(e => e.Row))}"));
        Assert.Empty(none);
        Assert.Equal([1, 2, 3, 4], dropped.Order());
        Assert.Contains("before its first step", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("1 of 3 held-out rows is word by word", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(LeakagePolicy.Warn, 12, 0)]
    [InlineData(LeakagePolicy.Drop, 10, 2)]
    public void Run_ReportsTheLeak_BeforeTheFirstStep(LeakagePolicy policy, int examples, int dropped)
    {
        var tuning = new SupervisedFineTuning { Epochs = 1, MaxSteps = 2, BatchSize = 4, Threads = 2, Leakage = policy };
        var watch = new Watch();

        TrainingReport report = tuning.Run(tiny.Folder, TinyModel.Instructions, TinyModel.Instructions[3..5], tiny.At("t"), tiny.At("w"), watch, TestContext.Current.CancellationToken);

        Assert.Equal("checked,step 1,step 2", string.Join(',', watch.Calls));
        Assert.Equal((12, 2, dropped), (report.Data!.Examples, report.Data.HeldOut, report.Data.DroppedForLeakage));
        Assert.Equal(2, report.Data.Count("leak-exact"));
        Assert.Equal(policy == LeakagePolicy.Warn ? 2 : 0, report.Data.Count("prompt-in-held-out"));
        Assert.Equal((examples, dropped), ((int)report.Metrics["examples"], (int)report.Metrics["dropped_examples"]));
    }

    [Fact]
    public void RowsOfAFile_AreReadByNumber_WithTheirLines()
    {
        string path = tiny.At("rows.jsonl");
        File.WriteAllText(path, "\uFEFF{\"text\":\"é\"}\r\n\n  \n{\"text\":\"b\"}\n\n{\"text\":1}\n{\"text\":\"d\"}");
        using JsonlRows<FineTuningExample> rows = Jsonl.Open(path, RowReader.FineTuning);

        Assert.Equal(4, rows.Count);
        Assert.Equal([new TextExample("d"), new TextExample("é"), new TextExample("b")], [rows[3], rows[0], rows[1]]);
        Assert.Equal(6, Assert.Throws<InvalidDatasetException>(() => rows[2]).Line);
    }

    [Fact]
    public void RowsAcrossBuffers_AreTheRowsOfTheFile()
    {
        string path = tiny.At("long.jsonl");
        var random = new Random(2);
        string[] texts = [.. Enumerable.Range(0, 300).Select(i => new string((char)('a' + i % 26), random.Next(1, 3000)))];
        Jsonl.Write(path, texts.Select(t => new { text = t }));
        using JsonlRows<FineTuningExample> rows = Jsonl.Open(path, RowReader.FineTuning);

        Assert.Equal(texts, rows.Select(r => ((TextExample)r).Text));
        Assert.Equal(texts.Reverse(), Enumerable.Range(0, 300).Select(i => ((TextExample)rows[299 - i]).Text));
    }

    [Fact]
    public async Task ParquetRows_AreTheRowsThatWereWritten_ConversationsIncluded()
    {
        using MemoryStream parquet = new(), lines = new();
        StoredRow[] rows = [new() { Headword = "é", Messages = [new() { Role = "user", Content = "b" }, new() { Role = "assistant", Content = "c" }], Weight = 0.5 }, new() { Headword = null, Messages = [], Weight = 2 }];
        await Parquet.Serialization.ParquetSerializer.SerializeAsync(rows, parquet, cancellationToken: TestContext.Current.CancellationToken);
        parquet.Position = 0;
        Assert.True(ParquetRows.IsParquet(parquet.ToArray()));

        Assert.Equal(2, await ParquetRows.WriteJsonlAsync(parquet, lines, TestContext.Current.CancellationToken));

        lines.Position = 0;
        string[] written = [.. new StreamReader(lines).ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries)];
        Assert.Equal(2, written.Length);
        var talk = Assert.IsType<ConversationExample>(RowReader.FineTuning(new JsonlRow(1, JsonDocument.Parse(written[0].Replace("Messages", "messages", StringComparison.Ordinal).Replace("Role", "role", StringComparison.Ordinal).Replace("Content", "content", StringComparison.Ordinal)).RootElement)));
        Assert.Equal([new("user", "b"), new("assistant", "c")], talk.Turns);
        Assert.Contains("\"Headword\":\"é\"", written[0], StringComparison.Ordinal);
        Assert.Contains("\"Weight\":0.5", written[0], StringComparison.Ordinal);
        byte[] damaged = parquet.ToArray();
        damaged.AsSpan(4, damaged.Length / 2).Fill(0x55);
        await Assert.ThrowsAsync<InvalidDatasetException>(() => ParquetRows.WriteJsonlAsync(new MemoryStream(damaged), new MemoryStream(), TestContext.Current.CancellationToken));
        await Assert.ThrowsAsync<InvalidDatasetException>(() => ParquetRows.WriteJsonlAsync(new MemoryStream(damaged[..40]), new MemoryStream(), TestContext.Current.CancellationToken));
    }

    [Fact]
    public void TrainingFromAFile_HoldsTheRowsOfOneStepAtMost()
    {
        var rows = new CountedRows(400);
        var tuning = new SupervisedFineTuning { Epochs = 1, MaxSteps = 20, BatchSize = 4, Threads = 2 };
        int most = 0;

        TrainingReport report = tuning.Run(tiny.Folder, rows, [], tiny.At("t"), tiny.At("w"), new OnStep(_ => most = Math.Max(most, rows.Live())), TestContext.Current.CancellationToken);

        Assert.Equal(20, report.Steps);
        Assert.True(rows.Read >= 400 + 20 * 4);
        Assert.InRange(most, 0, 8);
    }

    public void Dispose() => tiny.Dispose();

    private FineTuningEncoder Encoder(int limit = 64) => new(PromptFormat.Load(tiny.Folder, tiny.Tokenizer), limit, AssistantOnly: true);

    public sealed class StoredRow
    {
        public string? Headword { get; set; }
        public List<StoredTurn>? Messages { get; set; }
        public double Weight { get; set; }
    }

    public sealed class StoredTurn
    {
        public string? Role { get; set; }
        public string? Content { get; set; }
    }

    private sealed class Watch : ITrainingWatch
    {
        public List<string> Calls { get; } = [];
        public bool FinishRequested => false;
        public string? StartFrom => null;
        public void Checked(TrainingDataReport report) => Calls.Add("checked");
        public void Report(TrainingStep value) => Calls.Add($"step {value.Step}");
        public void Saved(SavedCheckpoint checkpoint) { }
        public void Removed(int step) { }
    }

    /// <summary>Makes a row whenever it is asked for one, as a file does, and knows which of them are still alive.</summary>
    private sealed class CountedRows(int count) : IReadOnlyList<FineTuningExample>
    {
        private readonly List<WeakReference> made = [];

        public int Count => count;

        public int Read { get; private set; }

        public FineTuningExample this[int index]
        {
            get
            {
                Read++;
                var row = new AnswerExample($"Define w{index}.", TinyModel.Texts[index % TinyModel.Texts.Length]);
                made.Add(new WeakReference(row));
                return row;
            }
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        public int Live()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            made.RemoveAll(w => !w.IsAlive);
            return made.Count;
        }

        public IEnumerator<FineTuningExample> GetEnumerator() => Enumerable.Range(0, count).Select(i => this[i]).GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
