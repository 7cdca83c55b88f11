using System.Text;
using System.Text.Json;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Datasets;

public abstract class ImportTests(DatabaseProvider provider) : ProductTests(provider)
{
    private const string Good = """{"prompt":"Define cat.","chosen":"An animal.","rejected":"A stone.","headword":"cat"}""";

    private async Task<DatasetVersion> ImportBytesAsync(byte[] bytes, bool quarantine = false)
    {
        using var stream = new MemoryStream(bytes);
        return await Get<ImportDataset>().ImportAsync("pairs", DatasetKind.Preference, stream, quarantine, "MIT", "a test", Product.Alice);
    }

    private Task<DatasetVersion> ImportAsync(string rows, bool quarantine = false) => ImportBytesAsync(Encoding.UTF8.GetBytes(rows), quarantine);

    private async Task AssertNothingIsStoredAsync()
    {
        Assert.Equal((0, 0, 0), (await CountAsync(db => db.Datasets), await CountAsync(db => db.DatasetVersions), await CountAsync(db => db.Audit)));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(Product.Folder, "artifacts"), "*", SearchOption.AllDirectories));
    }

    [Theory]
    [InlineData("""{"prompt":"Define cat.", "chosen":""", "this is not JSON")]
    [InlineData("""["a"]""", "a row is a JSON object, this is a list")]
    [InlineData("""{"prompt":"Define cat.","chosen":"An animal."}""", "the column 'rejected' is missing. A preference row has prompt, chosen, rejected")]
    [InlineData("""{"prompt":"Define cat.","chosen":1,"rejected":"A stone."}""", "'chosen' is a number, text is expected")]
    [InlineData("""{"prompt":" ","chosen":"An animal.","rejected":"A stone."}""", "'prompt' is empty")]
    [InlineData("""{"prompt":"Define cat.","chosen":"Same.","rejected":"Same."}""", "'chosen' and 'rejected' are the same")]
    [InlineData("""{"prompt":"Define \ud800.","chosen":"An animal.","rejected":"A stone."}""", "'prompt' holds half of a surrogate pair")]
    [InlineData("""{"prompt":"Define cat.","chosen":"An animal.","rejected":"A stone.","rejected_kind":"\udc00"}""", "'rejected_kind' holds half of a surrogate pair")]
    public async Task BadRow_RefusesTheWholeImport_WithItsLineAndReason(string row, string reason)
    {
        var message = await RefusedAsync(ErrorCode.InvalidParameterValue, () => ImportAsync($"{Good}\n\n{row}\n{Good.Replace("cat", "dog", StringComparison.Ordinal)}\n"));
        Assert.Contains("nothing was stored: 1 of 3 rows", message, StringComparison.Ordinal);
        Assert.Contains($"Line 3: {reason}", message, StringComparison.Ordinal);
        await AssertNothingIsStoredAsync();
    }

    [Fact]
    public async Task BytesThatAreNotUtf8_AreRefused_WithTheirOwnLine()
    {
        var rows = string.Join('\n', Enumerable.Range(0, 40).Select(i => Good.Replace("cat", $"word{i}", StringComparison.Ordinal)));
        byte[] bytes = [.. Encoding.UTF8.GetBytes(rows + "\n"), .. Encoding.Latin1.GetBytes("{\"prompt\":\"Define café.\",\"chosen\":\"a\",\"rejected\":\"b\"}\n"), .. Encoding.UTF8.GetBytes(Good)];
        Assert.Contains("Line 41: the bytes are not valid UTF-8", await RefusedAsync(ErrorCode.InvalidParameterValue, () => ImportBytesAsync(bytes)), StringComparison.Ordinal);
        await AssertNothingIsStoredAsync();
        // Quarantined, it costs that row and no other.
        var version = await ImportBytesAsync(bytes, quarantine: true);
        Assert.Equal((41, 1), (version.TrainRows + version.HeldOutRows, version.QuarantinedRows));
    }

    [Fact]
    public async Task FileInUtf16_IsRefused() =>
        Assert.Contains("not valid UTF-8", await RefusedAsync(ErrorCode.InvalidParameterValue, () => ImportBytesAsync([.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes(Good + "\n")])), StringComparison.Ordinal);

    [Fact]
    public async Task ByteOrderMark_AndWindowsLineEnds_AreNoPartOfARow()
    {
        var version = await ImportBytesAsync([.. Encoding.UTF8.GetPreamble(), .. Encoding.UTF8.GetBytes($"{Good}\r\n{Good.Replace("cat", "dog", StringComparison.Ordinal)}\r\n")]);
        Assert.Equal(2, version.TrainRows + version.HeldOutRows);
        Assert.All(await LinesAsync(version), l => Assert.EndsWith("}", l, StringComparison.Ordinal));
    }

    [Fact]
    public async Task RowThatIsTooLong_IsRefused_AndOneThatIsJustShortEnoughIsNot()
    {
        string Row(int length) => $$"""{"prompt":"{{new string('é', length)}}","chosen":"a","rejected":"b"}""";
        Assert.Contains("Line 1: the row is longer than 1,000,000 characters", await RefusedAsync(ErrorCode.InvalidParameterValue, () => ImportAsync(Row(5_000_000) + "\n" + Good)), StringComparison.Ordinal);
        Assert.Contains("Line 1: the row is longer than 1,000,000 characters", await RefusedAsync(ErrorCode.InvalidParameterValue, () => ImportAsync(Row(1_000_000))), StringComparison.Ordinal);
        Assert.Equal(1, (await ImportAsync(Row(999_900))) switch { var v => v.TrainRows + v.HeldOutRows });
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n \n")]
    public async Task FileWithoutRows_IsRefused(string rows) =>
        Assert.Contains("no usable row", await RefusedAsync(ErrorCode.InvalidParameterValue, () => ImportAsync(rows)), StringComparison.Ordinal);

    [Fact]
    public async Task ManyBadRows_AreCounted_AndTheFirstFiveNamed()
    {
        var message = await RefusedAsync(ErrorCode.InvalidParameterValue, () => ImportAsync(string.Join('\n', Enumerable.Repeat("{}", 9))));
        Assert.Contains("Line 5:", message, StringComparison.Ordinal);
        Assert.Contains("and 4 more", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Quarantine_SetsBadRowsAside_AndKeepsThemForInspection()
    {
        var version = await ImportAsync($"{Good}\nnot json\n{{}}\n", quarantine: true);
        Assert.Equal((1, 2), (version.TrainRows + version.HeldOutRows, version.QuarantinedRows));
        var page = await Get<ReadRows>().PageAsync(version.Id, "quarantine", 0, 10);
        var first = Json.Read<BadRow>(page.Rows[0]);
        Assert.Equal((2, 2, "not json"), (page.Total, first.Line, first.Text));
    }

    [Fact]
    public async Task SameRowsAgain_AreTheVersionThatIsThere()
    {
        var rows = TestProduct.PreferenceRows(20);
        var first = await ImportAsync(rows);
        var again = await ImportAsync(rows);
        Assert.Equal(first.Id, again.Id);
        Assert.Equal(["import dataset-version"], await Product.AuditAsync());
        var changed = await ImportAsync(rows + "\n" + Good);
        Assert.Equal((1, 2, first.DatasetId), (first.Number, changed.Number, changed.DatasetId));
    }

    [Fact]
    public async Task Headword_IsNeverOnBothSides_WhateverItsCase()
    {
        var rows = Enumerable.Range(0, 300).SelectMany(i => new[] { $"Word{i}", $"word{i}", $"WORD{i}" })
            .Select((w, i) => JsonSerializer.Serialize(new { prompt = $"{w} {i}", chosen = "a", rejected = "b", headword = w }));
        var version = await ImportAsync(string.Join('\n', rows));
        var train = await HeadwordsAsync(version, ImportDataset.TrainFile);
        var heldOut = await HeadwordsAsync(version, ImportDataset.HeldOutFile);
        Assert.Equal((version.TrainRows, version.HeldOutRows), (train.Count, heldOut.Count));
        Assert.Empty(train.Intersect(heldOut));
        Assert.All(heldOut, w => Assert.True(Split.IsHeldOut(w)));
        // 26 of 256 headwords: about 30 of 300, three rows each.
        Assert.InRange(heldOut.Count, 45, 150);
    }

    [Fact]
    public async Task RowsOfOtherFormats_AreMappedToTheColumnsOfTheirKind_AndCounted()
    {
        string[] rows =
        [
            """{"prompt":"Define cat.","completion":"An animal."}""",
            """{"instruction":"Add.","input":"1 2","output":"3"}""",
            """{"conversations":[{"from":"human","value":"Hello."},{"from":"gpt","value":"Hello!"},{"from":"human","value":"Who?"},{"from":"gpt","value":"Me."}],"id":4}""",
            """{"messages":[{"role":"user","content":"Hm."}]}""",
            """{"text":"Nobody asks."}""",
        ];
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(string.Join('\n', rows)));
        var version = await Get<ImportDataset>().ImportAsync("talk", DatasetKind.Instruction, stream, quarantine: true, "MIT", "a test", Product.Alice);

        var lines = await LinesAsync(version);
        Assert.Equal((3, 2), (lines.Length, version.QuarantinedRows));
        Assert.Contains(rows[0], lines);
        Assert.Contains("""{"prompt":"Add.\n1 2","completion":"3"}""", lines);
        Assert.Contains("""{"id":4,"prompt":"user: Hello.\nassistant: Hello!\nuser: Who?","completion":"Me.","messages":[{"role":"user","content":"Hello."},{"role":"assistant","content":"Hello!"},{"role":"user","content":"Who?"},{"role":"assistant","content":"Me."}]}""", lines);
        Assert.Equal("Alpaca 1, ShareGpt 1", string.Join(", ", Json.Read<DatasetStatistics>(version.StatisticsJson).Formats!.Select(f => $"{f.Key} {f.Value}")));
        var bad = (await Get<ReadRows>().PageAsync(version.Id, "quarantine", 0, 10)).Rows.Select(Json.Read<BadRow>).ToList();
        Assert.Equal([4, 5], bad.Select(b => b.Line));
        Assert.Contains("no turn of the assistant", bad[0].Reason, StringComparison.Ordinal);
        Assert.Contains("rows of a corpus", bad[1].Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MarkedAnswers_AreAKindOfTheirOwn_AndAreNotLearntAsInstructions()
    {
        const string rows = """
            {"prompt":"Define cat.","completion":"An animal.","label":true}
            {"prompt":"Define dog.","completion":"A stone.","label":false}
            {"instruction":"Define ox.","input":"","output":"A stone.","kto_tag":false}
            """;
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(rows));
        var version = await Get<ImportDataset>().ImportAsync("marks", DatasetKind.Unpaired, stream, false, "MIT", "a test", Product.Alice);

        Assert.Contains("""{"prompt":"Define ox.","completion":"A stone.","label":false}""", await LinesAsync(version));
        Assert.Equal("false 2, true 1", string.Join(", ", Json.Read<DatasetStatistics>(version.StatisticsJson).Labels!.Select(f => $"{f.Key} {f.Value}")));
        using var again = new MemoryStream(Encoding.UTF8.GetBytes(rows));
        var message = await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<ImportDataset>().ImportAsync("taught", DatasetKind.Instruction, again, false, "MIT", "a test", Product.Alice));
        Assert.Contains("2 of 3 rows", message, StringComparison.Ordinal);
        Assert.Contains("undesirable", message, StringComparison.Ordinal);
        using var unmarked = new MemoryStream("""{"prompt":"Define cat.","completion":"An animal.","label":"yes"}"""u8.ToArray());
        Assert.Contains("'label' is text, true or false is expected", await RefusedAsync(ErrorCode.InvalidParameterValue,
            () => Get<ImportDataset>().ImportAsync("marked", DatasetKind.Unpaired, unmarked, false, "MIT", "a test", Product.Alice)), StringComparison.Ordinal);
    }

    private async Task<List<string>> HeadwordsAsync(DatasetVersion version, string file) =>
        [.. (await LinesAsync(version, file)).Select(l => JsonDocument.Parse(l).RootElement.GetProperty("headword").GetString()!.ToLowerInvariant())];

    private async Task<string[]> LinesAsync(DatasetVersion version, params string[] files)
    {
        var folder = await Product.Artifacts.FolderAsync(version.ArtifactDigest);
        return [.. (files.Length > 0 ? files : [ImportDataset.TrainFile, ImportDataset.HeldOutFile]).SelectMany(f => File.ReadAllLines(Path.Combine(folder, f)))];
    }

    [Fact]
    public async Task Versions_AreNumberedConsecutively_WhenManyImportAtOnce()
    {
        var versions = await AtOnceAsync(6, i => ImportAsync(Good + "\n" + Good.Replace("cat", $"dog{i}", StringComparison.Ordinal)));
        Assert.Equal(Enumerable.Range(1, 6), versions.Select(v => v.Number).Order());
        Assert.Equal(1, await CountAsync(db => db.Datasets));
    }

    [Fact]
    public async Task Dataset_KeepsItsKind()
    {
        await ImportAsync(Good);
        await RefusedAsync(ErrorCode.ResourceConflict, () => Product.DatasetAsync("pairs", DatasetKind.Corpus, """{"text":"A cat is an animal."}"""));
        Assert.Equal(1, await CountAsync(db => db.DatasetVersions));
    }

    [Theory]
    [InlineData("Pairs")]
    [InlineData("../pairs")]
    [InlineData("")]
    public async Task Name_IsCheckedFirst(string name) =>
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => Product.DatasetAsync(name, DatasetKind.Preference, Good));

    [Fact]
    public async Task Statistics_CountColumnsAndKinds()
    {
        var version = await ImportAsync(TestProduct.PreferenceRows(20));
        var statistics = Json.Read<DatasetStatistics>(version.StatisticsJson);
        Assert.Equal((10, 7, 13), (statistics.Headwords, statistics.RejectedKinds["wrong"], statistics.RejectedKinds["off-style"]));
        Assert.Equal(("A living thing.".Length, "A living thing.".Length), (statistics.Columns["chosen"].Min, statistics.Columns["chosen"].Max));
        // A kind that is no text is not counted, and breaks nothing.
        var odd = await ImportAsync("""{"prompt":"Define cat.","chosen":"a","rejected":"b","rejected_kind":3}""");
        Assert.Empty(Json.Read<DatasetStatistics>(odd.StatisticsJson).RejectedKinds);
    }

    [Fact]
    public async Task Rows_AreReadAWindowAtATime()
    {
        var version = await ImportAsync(TestProduct.PreferenceRows(60));
        var lines = await LinesAsync(version, ImportDataset.TrainFile);
        var page = await Get<ReadRows>().PageAsync(version.Id, "train", 5, 3);
        Assert.Equal(lines.Length, page.Total);
        Assert.Equal(lines[5..8], page.Rows);
        Assert.Empty((await Get<ReadRows>().PageAsync(version.Id, "train", 1000, 3)).Rows);
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<ReadRows>().PageAsync(version.Id, "../train", 0, 1));
    }

    /// <summary>Notes how much of the rows is on disk already each time more of the file is asked for.</summary>
    private sealed class WatchedFile(byte[] bytes, string written) : MemoryStream(bytes)
    {
        public long WrittenBeforeTheEnd { get; private set; }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Position < Length)
                WrittenBeforeTheEnd = File.Exists(written) ? new FileInfo(written).Length : 0;
            return base.ReadAsync(buffer, cancellationToken);
        }
    }

    [Fact]
    public async Task Rows_AreWrittenWhileTheFileIsRead_AndCountedAsIfAllWereThere()
    {
        const int Count = 20_000;
        // Headwords word0 … word9999 twice each, in two spellings; every hundredth row is bad.
        var rows = Encoding.UTF8.GetBytes(string.Join('\n', Enumerable.Range(0, Count).Select(i =>
            i % 100 == 7 ? "{}" : Good.Replace("cat", $"{(i < Count / 2 ? "word" : "WORD")}{i % (Count / 2)}", StringComparison.Ordinal))));
        var work = Directory.CreateTempSubdirectory("llmops-import-test-").FullName;
        try
        {
            var train = Path.Combine(work, "pairs", ImportDataset.TrainFile);
            using var file = new WatchedFile(rows, train);
            var prepared = await Get<ImportDataset>().PrepareAsync("pairs", DatasetKind.Preference, file, quarantine: true, "MIT", "a test", null, work, TestContext.Current.CancellationToken);
            Assert.InRange(file.WrittenBeforeTheEnd, new FileInfo(train).Length * 0.8, new FileInfo(train).Length);
            Assert.Equal((Count - 200, 200, 9_900), (prepared.TrainRows + prepared.HeldOutRows, prepared.QuarantinedRows, prepared.Statistics.Headwords));
            Assert.InRange(prepared.HeldOutRows, 0.09 * Count, 0.115 * Count);
            Assert.Equal((prepared.TrainRows, prepared.HeldOutRows, 200),
                (File.ReadLines(train).Count(), File.ReadLines(Path.Combine(work, "pairs", ImportDataset.HeldOutFile)).Count(), File.ReadLines(Path.Combine(work, "pairs", ImportDataset.QuarantineFile)).Count()));
            // The same again in the same folder, without the bad rows: nothing is left of the attempt before.
            using var good = new MemoryStream(Encoding.UTF8.GetBytes(Good));
            await Get<ImportDataset>().PrepareAsync("pairs", DatasetKind.Preference, good, quarantine: false, "MIT", "a test", null, work, TestContext.Current.CancellationToken);
            Assert.False(File.Exists(Path.Combine(work, "pairs", ImportDataset.QuarantineFile)));
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

}

public sealed class ImportsOnSqlite() : ImportTests(DatabaseProvider.Sqlite);

public sealed class ImportsOnPostgres() : ImportTests(DatabaseProvider.Postgres);
