using LlmOps.Engines.Inference;

namespace LlmOps.Engines.Tests.Inference;

public sealed class BatchSizeSearchTests(ExportedModels models)
{
    [Fact]
    public void Search_EndsWhereADoublingGainsTooLittle()
    {
        // 100, 180, 288, 300: the last doubling gains 4 %.
        double[] speeds = [100, 180, 288, 300, 900];

        var report = new BatchSizeSearch().Search(rows => speeds[(int)Math.Log2(rows)], null, 1000, rows => rows);

        Assert.Equal(new BatchSpeed(4, 288, 4), report.Best);
        Assert.Equal([1, 2, 4, 8], report.Tried.Select(t => t.Rows));
        Assert.Contains("8 rows gave 1.04 times", report.StoppedBecause, StringComparison.Ordinal);
    }

    [Fact]
    public void Search_EndsWhereMemoryEnds_OrTheDeviceSaysSo()
    {
        var bound = new BatchSizeSearch().Search(rows => rows, null, 10L << 20, rows => (long)rows << 20);
        var device = new BatchSizeSearch().Search(rows => rows < 4 ? rows : throw new InvalidModelException("Failed to allocate memory"), null, 1000, rows => rows);
        var asked = new BatchSizeSearch { MostRows = 4 }.Search(rows => rows, null, 1000, rows => rows);

        Assert.Equal((8, "16 rows need 16 MiB; 10 MiB are allowed."), (bound.Best.Rows, bound.StoppedBecause));
        Assert.Equal(2, device.Best.Rows);
        Assert.Equal(4, asked.Best.Rows);
        Assert.Throws<ArgumentException>(() => new BatchSizeSearch().Search(rows => rows, null, 10, _ => 11));
        Assert.Throws<InvalidModelException>(() => new BatchSizeSearch().Search(_ => throw new InvalidModelException("The graph is broken"), null, 10, rows => rows));
    }

    [Theory]
    [InlineData(BatchWork.Decoding)]
    [InlineData(BatchWork.Scoring)]
    public void Run_MeasuresARealModel(BatchWork work)
    {
        var seen = new List<BatchSpeed>();
        var search = new BatchSizeSearch { Work = work, Length = 20, MostRows = 4, LeastGain = -1, Repeats = 1 };

        var report = search.Run(models.TiedOnnx, null, new Listed(seen), TestContext.Current.CancellationToken);

        Assert.Equal([1, 2, 4], report.Tried.Select(t => t.Rows));
        Assert.Equal(seen, report.Tried);
        Assert.All(report.Tried, t => Assert.True(t.TokensPerSecond > 0));
        // Two layers of keys and values, two heads of 16, 24 tokens, and the logits of one or all positions; 4 bytes each.
        Assert.Equal(4 * (2 * 2 * 2 * 16 * 24 + (work == BatchWork.Decoding ? 1 : 20) * 304), report.Tried[0].Bytes);
        Assert.Throws<ArgumentException>(() => (search with { Length = 95 }).Run(models.TiedOnnx));
    }

    private sealed class Listed(List<BatchSpeed> seen) : IProgress<BatchSpeed>
    {
        public void Report(BatchSpeed value) => seen.Add(value);
    }
}
