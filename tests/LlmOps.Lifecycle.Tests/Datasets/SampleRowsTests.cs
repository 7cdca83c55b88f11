using System.Text;
using LlmOps.Engines.SmallModels;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation;

namespace LlmOps.Lifecycle.Tests.Datasets;

public sealed class SampleRowsTests
{
    private static async Task<(List<CheckedRow> Rows, List<BadRow> Bad)> ReadAsync(DatasetKind kind, params string[] lines)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(string.Join('\n', lines)));
        var (rows, bad) = (new List<CheckedRow>(), new List<BadRow>());
        await foreach (var read in DatasetRows.StreamAsync(stream, kind, TestContext.Current.CancellationToken))
        {
            if (read.Row is { } row) rows.Add(row);
            else bad.Add(read.Bad!);
        }
        return (rows, bad);
    }

    [Fact]
    public async Task PicturesAndTables_AreCheckedAsTheyWillBeRead_AndTheReasonNamesTheLine()
    {
        var picture = Json.Write(new { pixels = new byte[] { 1, 2, 3, 4 }, label = "a" });
        var (rows, bad) = await ReadAsync(DatasetKind.Image, picture, """{"label":"a"}""", """{"pixels":"AAA="}""", """{"pixels":[1]}""");
        Assert.Equal("AQIDBA==", Assert.Single(rows).Headword);
        Assert.Equal([2, 3, 4], bad.Select(b => b.Line));
        Assert.Contains("'pixels' is missing", bad[0].Reason);
        Assert.Contains("square picture", bad[1].Reason);

        (rows, bad) = await ReadAsync(DatasetKind.Table, """{"features":[1,2],"target":3}""", """{"features":"1","target":3}""", """{"features":[1],"target":{}}""");
        Assert.Equal("[1,2]", Assert.Single(rows).Headword);
        Assert.Equal(2, bad.Count);
        var statistics = DatasetStatistics.Of(rows, DatasetKind.Table);
        Assert.Equal((5, 1), (statistics.Columns["features"].Max, statistics.Columns["target"].Max));
    }

    [Fact]
    public async Task GlyphsBecomeADataset_OfWhichATenthIsHeldOut_WithKeysThatDoNotDependOnTheLabel()
    {
        var lines = GlyphImages.Make(300, 1, 0.1).Select(g => Json.Write(new { g.Pixels, g.Label })).ToArray();
        var (rows, bad) = await ReadAsync(DatasetKind.Image, lines);
        Assert.Empty(bad);
        Assert.InRange(rows.Count(r => Engines.Text.Split.IsHeldOut(r.Headword)), 15, 50);
        var first = Json.Read<System.Text.Json.JsonElement>(lines[0]);
        Assert.Equal(RowKeys.OfSample(first), RowKeys.OfSample(Json.Read<System.Text.Json.JsonElement>(lines[0].Replace("\"label\":\"0\"", "\"label\":\"9\"", StringComparison.Ordinal))));
        Assert.NotEqual(RowKeys.OfSample(first), RowKeys.OfSample(Json.Read<System.Text.Json.JsonElement>(lines[1])));
    }

    [Fact]
    public void RegressionMetrics_AreThoseOfTheirFormulas_AndHaveIntervals()
    {
        // Targets 1, 2, 4, 5 (mean 3, squares around it 10) predicted as 1.5, 2, 3, 5: squared errors 0.25, 0, 1, 0.
        (double Target, double Said)[] pairs = [(1, 1.5), (2, 2), (4, 3), (5, 5)];
        var id = Guid.NewGuid();
        IEnumerable<RowScore> Rows(string task) => pairs.Select((p, i) => new RowScore
        {
            EvaluationRunId = id, Task = task, RowKey = $"{i}", Value = Math.Pow(p.Target - p.Said, 2), DetailJson = Json.Write(new RowStatistics([Math.Pow(p.Target - p.Said, 2), 1, p.Target, p.Target * p.Target])),
        });

        var metrics = SummariseRows.Summarise(id, [.. Rows("regression"), .. Rows("residuals")], 500).ToDictionary(m => m.Name);

        Assert.Equal(1 - 1.25 / 10, metrics["regression.r2"].Value, 1e-12);
        Assert.Equal(Math.Sqrt(1.25 / 4), metrics["residuals.rmse"].Value, 1e-12);
        Assert.InRange(metrics["residuals.rmse"].Low, 0, Math.Sqrt(1.25 / 4));
        Assert.InRange(metrics["residuals.rmse"].High, Math.Sqrt(1.25 / 4), 1);
    }

    [Fact]
    public void PicturesOfARun_StandInItsDetail_BesideWhatIsThere()
    {
        var detail = RunPictures.With("""{"contamination":{"verdict":"Clean"}}""", [new("confusion", "abc")]);
        Assert.Equal(new RunPicture("confusion", "abc"), Assert.Single(RunPictures.Parse(detail)));
        Assert.Contains("Clean", detail);
        Assert.Empty(RunPictures.Parse(null));
        Assert.Empty(RunPictures.Parse("{}"));
    }
}
