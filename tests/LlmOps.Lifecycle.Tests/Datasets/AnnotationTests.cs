using LlmOps.Lifecycle.Datasets;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Datasets;

public abstract class AnnotationTests(DatabaseProvider provider) : ProductTests(provider)
{
    private Annotate Annotate => Get<Annotate>();

    private Task<DatasetVersion> PairsAsync() => Product.DatasetAsync("pairs", DatasetKind.Preference, TestProduct.PreferenceRows(20));

    [Fact]
    public async Task AnswerAgain_ReplacesTheAnswer()
    {
        var pairs = await PairsAsync();
        await Annotate.AnswerAsync(pairs.Id, "train", 0, "chosen", Product.Alice);
        await Annotate.AnswerAsync(pairs.Id, "train", 0, "tie", Product.Alice);
        Assert.Equal("tie", (await ReadAsync(db => db.Annotations.SingleAsync())).Preferred);
        var last = await ReadAsync(db => db.Audit.OrderByDescending(a => a.Id).FirstAsync());
        Assert.Equal(("annotate", "\"chosen\"", "\"tie\""), (last.Action, last.Before, last.After));
    }

    [Fact]
    public async Task Answer_IsStoredOnce_WhenADoubleClickSendsItTwice()
    {
        var pairs = await PairsAsync();
        await AtOnceAsync(4, async _ => { await Annotate.AnswerAsync(pairs.Id, "train", 1, "rejected", Product.Alice); return true; });
        Assert.Equal(1, await CountAsync(db => db.Annotations));
    }

    [Fact]
    public async Task People_AnswerIndependently()
    {
        var pairs = await PairsAsync();
        await Annotate.AnswerAsync(pairs.Id, "train", 0, "chosen", Product.Alice);
        await Annotate.AnswerAsync(pairs.Id, "train", 0, "rejected", Product.Rosa);
        Assert.Equal(["chosen", "rejected"], await ReadAsync(db => db.Annotations.Select(a => a.Preferred).OrderBy(p => p).ToListAsync()));
    }

    [Fact]
    public async Task Undo_TakesTheAnswerBack_OnlyOnes_Own()
    {
        var pairs = await PairsAsync();
        await Annotate.AnswerAsync(pairs.Id, "train", 0, "chosen", Product.Alice);
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Annotate.UndoAsync(pairs.Id, "train", 0, Product.Rosa));
        await Annotate.UndoAsync(pairs.Id, "train", 0, Product.Alice);
        Assert.Equal(0, await CountAsync(db => db.Annotations));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Annotate.UndoAsync(pairs.Id, "train", 0, Product.Alice));
        Assert.Equal(["annotate dataset-row", "undo-annotation dataset-row"], (await Product.AuditAsync()).Skip(1));
    }

    [Theory]
    [InlineData("train", 1000, "chosen", ErrorCode.ResourceDoesNotExist)]
    [InlineData("train", -1, "chosen", ErrorCode.ResourceDoesNotExist)]
    [InlineData("train", 0, "both", ErrorCode.InvalidParameterValue)]
    [InlineData("test", 0, "chosen", ErrorCode.InvalidParameterValue)]
    public async Task Answer_IsRefused_WhenThereIsNoSuchRowOrAnswer(string split, int row, string preferred, ErrorCode code)
    {
        var pairs = await PairsAsync();
        await RefusedAsync(code, () => Annotate.AnswerAsync(pairs.Id, split, row, preferred, Product.Alice));
        Assert.Equal(0, await CountAsync(db => db.Annotations));
    }
}

public sealed class AnnotationsOnSqlite() : AnnotationTests(DatabaseProvider.Sqlite);

public sealed class AnnotationsOnPostgres() : AnnotationTests(DatabaseProvider.Postgres);
