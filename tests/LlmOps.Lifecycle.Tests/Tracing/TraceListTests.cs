using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Tracing;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Tracing;

public abstract class TraceListTests(DatabaseProvider provider) : ProductTests(provider)
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private static string Trace(int number) => $"{number:x32}";

    private static Span Step(int trace, int number, int? parent = null, string kind = "chat", string? model = null, int? input = null, int? output = null, double? cost = null, string? asked = null, string? answered = null, string? error = null,
        double ms = 100, string? session = null, string? service = null, DateTimeOffset? at = null) => new()
    {
        TraceId = Trace(trace), SpanId = $"{number:x16}", ParentSpanId = parent is { } p ? $"{p:x16}" : null, Name = $"{kind} of {trace}", Kind = kind, Model = model, InputTokens = input, OutputTokens = output, CostUsd = cost, Input = asked, Output = answered,
        Error = error, DurationMs = ms, SessionId = session, ServiceName = service, StartedAt = at ?? Noon.AddMinutes(trace).AddMilliseconds(number),
    };

    private async Task<string> FoundAsync(TraceFilter filter) => string.Join(' ', (await Get<ReadTraces>().ListAsync(filter, 0, 50)).Rows.Select(r => Convert.ToInt32(r.TraceId, 16)));

    private Task StoreAsync(params Span[] spans) => Get<WriteSpans>().WriteAsync(spans);

    [Fact]
    public async Task EachFilter_FindsWhatItSays()
    {
        await StoreAsync(
            Step(1, 1, kind: "invoke_agent", ms: 900, session: "talk", service: "shop"), Step(1, 2, 1, model: "gpt", input: 100, output: 20, cost: 0.004), Step(1, 3, 1, model: "gpt", input: 10, output: 5, cost: 0.001),
            Step(2, 1, model: "claude", input: 7, output: 3, asked: "What is a DOG?", answered: "An animal."),
            Step(3, 1, model: "gpt", input: 1000, output: 1, cost: 0.02, error: "too slow", service: "desk"),
            // the parent of this one belongs to a program that sends its spans elsewhere
            Step(4, 1, parent: 99, kind: "span"));
        Assert.Equal("4 3 2 1", await FoundAsync(new()));
        Assert.Equal("3 1", await FoundAsync(new() { Model = "gpt" }));
        Assert.Equal("3", await FoundAsync(new() { Service = "desk" }));
        Assert.Equal("1", await FoundAsync(new() { Session = "talk" }));
        Assert.Equal("3", await FoundAsync(new(Outcome: "failed")));
        Assert.Equal("2", await FoundAsync(new("dog")));
        Assert.Equal("1", await FoundAsync(new() { Name = "AGENT" }));
        Assert.Equal("1", await FoundAsync(new() { LeastMs = 500 }));
        Assert.Equal("3 1", await FoundAsync(new() { LeastTokens = 100 }));
        Assert.Equal("3 1", await FoundAsync(new() { LeastCostUsd = 0.005 }));
        Assert.Equal("3", await FoundAsync(new() { LeastCostUsd = 0.01 }));
        Assert.Equal("3 2", await FoundAsync(new() { From = Noon.AddMinutes(2), To = Noon.AddMinutes(4) }));
        var (models, services) = await Get<ReadTraces>().ChoicesAsync(Noon);
        Assert.Equal(["claude", "gpt"], models);
        Assert.Equal(["desk", "shop"], services);
    }

    [Fact]
    public async Task ATrace_HasTheTokensAndTheCostOfItsSteps()
    {
        await StoreAsync(Step(1, 1, kind: "invoke_workflow"), Step(1, 2, 1, model: "gpt", input: int.MaxValue, output: 20, cost: 0.25), Step(1, 3, 1, kind: "invoke_agent", input: 999), Step(1, 4, 3, model: "gpt", input: 10, output: 5, cost: 0.5));
        var row = Assert.Single((await Get<ReadTraces>().ListAsync(new(), 0, 10)).Rows);
        Assert.Equal((int.MaxValue + 10L, 25, 0.75, "gpt"), (row.InputTokens, row.OutputTokens, row.CostUsd, row.Model));
        var trace = await Get<ReadTraces>().GetAsync(Trace(1));
        Assert.Equal(("invoke_workflow", 0.75), (trace.Root.Kind, trace.CostUsd));
    }

    [Fact]
    public async Task Curves_HaveQuantilesTokensAndCost()
    {
        await StoreAsync([.. Enumerable.Range(1, 100).Select(i => Step(i, 1, model: "gpt", input: 2, output: 1, cost: 0.01, ms: i, error: i % 10 == 0 ? "no" : null, at: Noon))]);
        var bucket = Assert.Single((await Get<ReadTraceCurves>().ReadAsync(new())).Buckets);
        Assert.Equal((100, 10, 50.0, 95.0, 200L, 100L), (bucket.Traces, bucket.Failed, bucket.MedianMs, bucket.P95Ms, bucket.InputTokens, bucket.OutputTokens));
        Assert.Equal(1.0, bucket.CostUsd, 9);
        await StoreAsync(Step(200, 1, ms: 7, at: Noon.AddHours(1)));
        Assert.Equal([100, 1], (await Get<ReadTraceCurves>().ReadAsync(new())).Buckets.Select(b => b.Traces));
    }

    [Fact]
    public async Task Traces_BecomeRows_AndAreNotDoubled()
    {
        await StoreAsync(
            Step(1, 1, asked: "What is a dog?", answered: "An animal."), Step(2, 1, asked: "What is a dog?", answered: "No idea."),
            Step(3, 1, kind: "invoke_agent"), Step(3, 2, 1, asked: """[{"role":"system","parts":[{"type":"text","content":"Be kind."}]},{"role":"user","parts":[{"type":"text","content":"Hi"}]}]""", answered: """[{"role":"assistant","parts":[{"type":"text","content":"Hello!"}]}]"""),
            Step(4, 1, asked: "Never answered", error: "broke"));
        await Get<GiveFeedback>().GiveAsync(Trace(1), 1, null, Product.Alice);
        await Get<GiveFeedback>().GiveAsync(Trace(2), -1, null, Product.Alice);
        string[] all = [Trace(1), Trace(2), Trace(3), Trace(4)];
        var add = Get<AddTracesToDataset>();

        var first = await add.AddAsync(all, "asked", DatasetKind.Instruction, Product.Alice);
        Assert.Equal((1, 3, 1, 3), (first.Version.Number, first.Rows, first.Without, first.Version.TrainRows + first.Version.HeldOutRows));
        var again = await add.AddAsync(all, "asked", DatasetKind.Instruction, Product.Alice);
        Assert.Equal((1, 3), (again.Version.Number, again.Version.TrainRows + again.Version.HeldOutRows));

        var marked = await add.AddAsync(all, "marked", DatasetKind.Unpaired, Product.Alice);
        Assert.Equal((2, 2), (marked.Rows, marked.Without));
        var preferred = await add.AddAsync(all, "preferred", DatasetKind.Preference, Product.Alice);
        Assert.Equal((1, 2), (preferred.Rows, preferred.Without));
        var rows = await Get<ReadRows>().PageAsync(preferred.Version.Id, preferred.Version.TrainRows == 1 ? "train" : "held-out", 0, 10);
        Assert.Equal("""{"prompt":"What is a dog?","chosen":"An animal.","rejected":"No idea."}""", rows.Rows.Single());

        Assert.Contains("feedback", await RefusedAsync(ErrorCode.InvalidParameterValue, () => add.AddAsync([Trace(3)], "marked", DatasetKind.Unpaired, Product.Alice)), StringComparison.Ordinal);
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => add.AddAsync([], "asked", DatasetKind.Instruction, Product.Alice));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => add.AddAsync([Trace(77)], "asked", DatasetKind.Instruction, Product.Alice));
        await RefusedAsync(ErrorCode.PermissionDenied, () => add.AddAsync(all, "asked", DatasetKind.Instruction, Product.Victor));
    }

    [Fact]
    public async Task OldTraces_AreDeleted_WithTheirFeedback_WhenASettingSaysSo()
    {
        var now = Product.Clock.GetUtcNow();
        await StoreAsync([.. Enumerable.Range(1, 20).Select(i => Step(i, 1, at: now.AddDays(-i).AddMinutes(1)))]);
        await Get<GiveFeedback>().GiveAsync(Trace(9), 1, null, Product.Alice);
        await Get<GiveFeedback>().GiveAsync(Trace(3), 1, null, Product.Alice);
        Assert.Equal(0, await Get<DeleteOldTraces>().DeleteAsync());
        var days = new DeleteOldTraces(Product.Dbs, new TraceSettings(RetentionDays: 7), new(), Product.Clock);
        Assert.Equal(13, await days.DeleteAsync());
        Assert.Equal((7, 0), (await CountAsync(db => db.Spans), await days.DeleteAsync()));
        Product.Clock.Advance(TimeSpan.FromDays(30));
        Assert.Equal(7, await days.DeleteAsync());
        Assert.Equal((0, 0), (await CountAsync(db => db.Spans), await CountAsync(db => db.Feedback)));
    }

    /// <summary>A client says first where a trace belongs and what it is about, and its spans come a moment later.</summary>
    [Fact]
    public async Task TraceWhoseSpansAreStillToCome_IsNotForgottenWithTheOldOnes()
    {
        var now = Product.Clock.GetUtcNow();
        await StoreAsync([Step(1, 1, at: now.AddDays(-30))]);
        var experiment = await Get<LlmOps.Lifecycle.Tracking.CreateExperiment>().CreateAsync("placed", null, [], Product.Alice);
        await Get<LogTrace>().PlaceAsync(experiment, [Trace(2)]);
        await Product.WriteAsync(db => db.TraceTags.Add(new TraceTag { TraceId = Trace(2), Key = "k", Value = "v" }));
        var days = new DeleteOldTraces(Product.Dbs, new TraceSettings(RetentionDays: 7), new(), Product.Clock);
        Assert.Equal(1, await days.DeleteAsync());
        await StoreAsync([Step(2, 1, at: now)]);
        Assert.Equal(experiment, (await Get<ReadLoggedTraces>().GetAsync(Trace(2))).ExperimentId);
        Assert.Equal(1, await CountAsync(db => db.TraceTags));
        Product.Clock.Advance(TimeSpan.FromDays(30));
        Assert.Equal(1, await days.DeleteAsync());
        Assert.Equal((0, 0), (await CountAsync(db => db.LoggedTraces), await CountAsync(db => db.TraceTags)));
    }

    [Fact]
    public async Task Prices_AreSetChangedAndDeleted()
    {
        var set = Get<SetPrices>();
        await set.SetAsync(new(" gpt* ", 1, 2), Product.Ada);
        await set.SetAsync(new("gpt*", 3, 4, 0.5, 5), Product.Ada);
        var price = Assert.Single(await Get<ReadPrices>().ListAsync());
        Assert.Equal(("gpt*", 3, 4, 0.5, 5), (price.Model, price.InputUsd, price.OutputUsd, price.CacheReadUsd, price.CacheWriteUsd));
        foreach (var wrong in new PriceForm[] { new("", 1, 1), new("a*b", 1, 1), new("a", -1, 1), new("a", 1, double.NaN), new("a", 1, 1, double.PositiveInfinity) })
            await RefusedAsync(ErrorCode.InvalidParameterValue, () => set.SetAsync(wrong, Product.Ada));
        await RefusedAsync(ErrorCode.PermissionDenied, () => set.SetAsync(new("a", 1, 1), Product.Alice));
        await set.DeleteAsync("gpt*", Product.Ada);
        Assert.Empty(await Get<ReadPrices>().ListAsync());
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => set.DeleteAsync("gpt*", Product.Ada));
    }
}

public sealed class TraceListOnSqlite() : TraceListTests(DatabaseProvider.Sqlite);

public sealed class TraceListOnPostgres() : TraceListTests(DatabaseProvider.Postgres);
