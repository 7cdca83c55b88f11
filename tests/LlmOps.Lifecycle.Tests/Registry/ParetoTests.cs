using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;

namespace LlmOps.Lifecycle.Tests.Registry;

public abstract class ParetoTests(DatabaseProvider provider) : ProductTests(provider)
{
    [Fact]
    public async Task Variants_AreOnTheFront_OrSayWhatBeatsThem()
    {
        var version = await MeasuredAsync();

        var view = await Get<ReadPareto>().OfVersionAsync(version.Key());

        Assert.Equal(("corpus.bits_per_byte", "latency.ms"), (view.Quality!.FullName, view.Speed!.FullName));
        Assert.Equal(["fp32", "int8", "int4", "slow"], view.Points.Select(p => p.Name));
        Assert.Equal("On the front: best quality.", view.Points[0].Words);
        Assert.Equal("On the front: nothing clearly beats it.", view.Points[1].Words);
        Assert.Equal("On the front: shortest time, smallest.", view.Points[2].Words);
        var slow = view.Points[3];
        Assert.Equal(["int8", "int4"], slow.DominatedBy);
        Assert.Equal("Dominated by int4: 60 % smaller, 80 % faster, better in quality. One other beats it too.", slow.Words);
        Assert.Equal(["half", "raw"], view.Unmeasured.Select(u => u.Variant).Order());
        Assert.Equal("no latency.ms in its newest evaluation", view.Unmeasured.Single(u => u.Variant == "half").Missing);
        Assert.Equal("never measured", view.Unmeasured.Single(u => u.Variant == "raw").Missing);
    }

    [Fact]
    public async Task TheNewestEvaluation_IsTheOneThatCounts()
    {
        var version = await MeasuredAsync();
        Product.Clock.Advance(TimeSpan.FromHours(1));
        await EvaluateAsync(version, "slow", bits: 1.5, ms: 1);

        var view = await Get<ReadPareto>().OfVersionAsync(version.Key());

        Assert.True(view.Points.Single(p => p.Name == "slow").OnFront);
        Assert.Equal(["slow"], view.Points.Single(p => p.Name == "fp32").DominatedBy);
    }

    [Fact]
    public async Task ADifferenceThatMayBeNoise_RemovesNobody()
    {
        var version = await Product.ShapedVersionAsync("noisy", ("a", "int8", 1000), ("b", "int8", 1000));
        await Product.EvaluationAsync(version.Id, "a", new Dictionary<string, double[]> { ["corpus"] = [1.0, 3.0, 1.0, 3.0], ["latency"] = [10, 30, 11, 29] });
        await Product.EvaluationAsync(version.Id, "b", new Dictionary<string, double[]> { ["corpus"] = [1.1, 3.1, 1.1, 3.1], ["latency"] = [11, 31, 12, 30] });
        Assert.All((await Get<ReadPareto>().OfVersionAsync(version.Key())).Points, p => Assert.True(p.OnFront));
    }

    [Fact]
    public async Task OtherMetrics_GiveAnotherFront()
    {
        var version = await MeasuredAsync();
        var view = await Get<ReadPareto>().OfVersionAsync(version.Key(), "preference.accuracy", "decode.tokens_per_second");
        Assert.Equal(["int8"], view.Points.Select(p => p.Name));     // the only one with both
        Assert.Equal(["corpus.bits_per_byte", "preference.accuracy"], view.QualityChoices.Select(t => t.FullName));
        Assert.Contains("is no metric of quality. Metrics: definitions.bits_per_byte", await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<ReadPareto>().OfVersionAsync(version.Key(), "latency.ms")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AModel_ComparesAllItsVersions()
    {
        await MeasuredAsync();
        var second = await Product.ShapedVersionAsync("shaped", ("int8", "int8", 500));
        await EvaluateAsync(second, "int8", bits: 1.7, ms: 1);

        var view = await Get<ReadPareto>().OfModelAsync("shaped");

        Assert.Equal("2:int8", view.Points[0].Name);
        Assert.All(view.Points.Skip(1), p => Assert.Contains("2:int8", p.DominatedBy));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<ReadPareto>().OfModelAsync("nobody"));
    }

    [Fact]
    public async Task NothingMeasured_IsAnEmptyView()
    {
        var version = await Product.ShapedVersionAsync("fresh", ("fp32", "fp32", 1000));
        var view = await Get<ReadPareto>().OfVersionAsync(version.Key());
        Assert.Equal((null, null, 0, 1), (view.Quality, view.Speed, view.Points.Count, view.Unmeasured.Count));
        var bare = await Product.ShapedVersionAsync("bare");
        Assert.Empty((await Get<ReadPareto>().OfVersionAsync(bare.Key())).Unmeasured);
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<ReadPareto>().OfVersionAsync(new("fresh", 9)));
    }

    private async Task<ModelVersion> MeasuredAsync()
    {
        var version = await Product.ShapedVersionAsync("shaped", ("fp32", "fp32", 40_000), ("int8", "int8", 12_000), ("int4", "int4", 8_000), ("slow", "int8", 20_000), ("half", "fp16", 20_001), ("raw", "fp16", 20_002));
        await EvaluateAsync(version, "fp32", bits: 1.80, ms: 30);
        await EvaluateAsync(version, "int8", bits: 1.81, ms: 20, preference: 0.5, decode: 100);
        await EvaluateAsync(version, "int4", bits: 1.90, ms: 10);
        await EvaluateAsync(version, "slow", bits: 1.95, ms: 50);
        await EvaluateAsync(version, "half", bits: 1.80, ms: null);
        return version;
    }

    private Task<EvaluationRun> EvaluateAsync(ModelVersion version, string variant, double bits, double? ms, double? preference = null, double? decode = null)
    {
        var values = new Dictionary<string, double[]> { ["corpus"] = [.. Enumerable.Range(0, 40).Select(i => bits + (i % 2 == 0 ? 0.001 : -0.001))] };
        if (ms is { } latency)
            values["latency"] = [latency, latency, latency];
        if (preference is not null)
            values["preference"] = [1, 0];
        if (decode is { } rate)
            values["decode"] = [rate, rate];
        return Product.EvaluationAsync(version.Id, variant, values);
    }
}

public sealed class ParetoOnSqlite() : ParetoTests(DatabaseProvider.Sqlite);

public sealed class ParetoOnPostgres() : ParetoTests(DatabaseProvider.Postgres);
