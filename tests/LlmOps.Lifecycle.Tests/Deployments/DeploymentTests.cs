using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Knowledge;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Deployments;

public abstract class DeploymentTests(DatabaseProvider provider) : ProductTests(provider)
{
    private ShiftTraffic Traffic => Get<ShiftTraffic>();

    private Task<Revision> DeployAsync(ModelVersion version, string variant = "int8", DeploymentKind kind = DeploymentKind.Chat, Guid? index = null, string name = "chat") =>
        Get<Deploy>().DeployAsync(name, kind, version.Key().ToString(), variant, index, Product.Rosa);

    private async Task<ModelVersion> ApprovedAsync()
    {
        var version = await Product.VersionAsync("tiny-lm", "fp32", "int8");
        await Product.PromoteAsync(version, "int8");
        return version;
    }

    /// <summary>Revision → share.</summary>
    private async Task<string> SharesAsync() =>
        string.Join(" ", await ReadAsync(db => db.Revisions.OrderBy(r => r.Number).Select(r => r.Number + ":" + r.TrafficPercent).ToListAsync()));

    [Fact]
    public async Task ASmallModel_IsRefusedWithASentenceThatSaysWhatItIs()
    {
        var version = await ApprovedAsync();
        await ReadAsync(db => db.ModelVersions.Where(v => v.Id == version.Id).ExecuteUpdateAsync(s => s.SetProperty(v => v.Stage, "classifier")));
        var message = await RefusedAsync(ErrorCode.InvalidParameterValue, () => DeployAsync(version));
        Assert.Contains("small model (classifier)", message);
    }

    [Fact]
    public async Task OnlyWhatWasApproved_CanBeDeployed()
    {
        var version = await ApprovedAsync();
        await RefusedAsync(ErrorCode.ResourceConflict, () => DeployAsync(version, "fp32"));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => DeployAsync(version, "int2"));
        var requested = await Product.VersionAsync("tiny-lm", "int8");
        var request = await Product.RequestAsync(requested, "int8");
        await RefusedAsync(ErrorCode.ResourceConflict, () => DeployAsync(requested));
        await Get<LlmOps.Lifecycle.Promotion.DecideApproval>().RejectAsync(request.Id, "no", Product.Rosa);
        await RefusedAsync(ErrorCode.ResourceConflict, () => DeployAsync(requested));
        Assert.Equal((0, 0), (await CountAsync(db => db.Deployments), await CountAsync(db => db.Revisions)));
        await DeployAsync(version);
        Assert.Equal("1:100", await SharesAsync());
    }

    [Fact]
    public async Task NewRevision_TakesAllTraffic()
    {
        var version = await ApprovedAsync();
        await DeployAsync(version);
        await DeployAsync(version);
        Assert.Equal("1:0 2:100", await SharesAsync());
    }

    [Fact]
    public async Task Revisions_AreNumberedConsecutively_AndShareOneHundred_WhenManyDeployAtOnce()
    {
        var version = await ApprovedAsync();
        await AtOnceAsync(6, _ => DeployAsync(version));
        var revisions = await ReadAsync(db => db.Revisions.OrderBy(r => r.Number).ToListAsync());
        Assert.Equal(Enumerable.Range(1, 6), revisions.Select(r => r.Number));
        Assert.Equal(100, revisions.Sum(r => r.TrafficPercent));
        Assert.Equal(1, await CountAsync(db => db.Deployments));
    }

    [Fact]
    public async Task Shift_DividesTraffic()
    {
        var version = await ApprovedAsync();
        await DeployAsync(version);
        await DeployAsync(version);
        await Traffic.ShiftAsync("chat", new Dictionary<int, int> { [1] = 90, [2] = 10 }, Product.Rosa);
        Assert.Equal("1:90 2:10", await SharesAsync());
        var entry = await ReadAsync(db => db.Audit.OrderByDescending(a => a.Id).FirstAsync());
        Assert.Equal(("shift-traffic", """{"1":0,"2":100}""", """{"1":90,"2":10}"""), (entry.Action, entry.Before, entry.After));
    }

    [Theory]
    [InlineData(new[] { 1, 2 }, new[] { 90, 20 }, ErrorCode.InvalidParameterValue)]
    [InlineData(new[] { 1 }, new[] { 99 }, ErrorCode.InvalidParameterValue)]
    [InlineData(new[] { 1, 2 }, new[] { 110, -10 }, ErrorCode.InvalidParameterValue)]
    [InlineData(new int[0], new int[0], ErrorCode.InvalidParameterValue)]
    [InlineData(new[] { 3 }, new[] { 100 }, ErrorCode.ResourceDoesNotExist)]
    [InlineData(new[] { 0 }, new[] { 100 }, ErrorCode.ResourceDoesNotExist)]
    [InlineData(new[] { -1 }, new[] { 100 }, ErrorCode.ResourceDoesNotExist)]
    [InlineData(new[] { 1, 3 }, new[] { 50, 50 }, ErrorCode.ResourceDoesNotExist)]
    public async Task Shift_IsRefused_WhenSharesDoNotAddUpOrARevisionIsUnknown(int[] revisions, int[] shares, ErrorCode code)
    {
        var version = await ApprovedAsync();
        await DeployAsync(version);
        await DeployAsync(version);
        await RefusedAsync(code, () => Traffic.ShiftAsync("chat", revisions.Zip(shares).ToDictionary(p => p.First, p => p.Second), Product.Rosa));
        Assert.Equal("1:0 2:100", await SharesAsync());
    }

    [Fact]
    public async Task Shares_AddUp_WhenTwoPeopleShiftAtOnce()
    {
        var version = await ApprovedAsync();
        await DeployAsync(version);
        await DeployAsync(version);
        await AtOnceAsync(6, async i =>
        {
            try
            {
                await Traffic.ShiftAsync("chat", new Dictionary<int, int> { [1] = 10 * i, [2] = 100 - 10 * i }, Product.Rosa);
            }
            catch (LlmOpsException e) when (e.Code == ErrorCode.ResourceConflict)
            {
            }
            return true;
        });
        Assert.Equal(100, await ReadAsync(db => db.Revisions.SumAsync(r => r.TrafficPercent)));
    }

    [Fact]
    public async Task Rollback_GoesBackOneRevision_AsOftenAsThereAreEarlierOnes()
    {
        var version = await ApprovedAsync();
        for (var i = 0; i < 3; i++)
            await DeployAsync(version);
        Assert.Equal(2, await Traffic.RollbackAsync("chat", Product.Rosa));
        Assert.Equal("1:0 2:100 3:0", await SharesAsync());
        Assert.Equal(1, await Traffic.RollbackAsync("chat", Product.Rosa));
        await RefusedAsync(ErrorCode.ResourceConflict, () => Traffic.RollbackAsync("chat", Product.Rosa));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Traffic.RollbackAsync("ghost", Product.Rosa));
        Assert.Equal("1:100 2:0 3:0", await SharesAsync());
    }

    [Fact]
    public async Task Deployment_KeepsItsKind_AndRagNeedsAnIndex()
    {
        var version = await ApprovedAsync();
        await DeployAsync(version);
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => DeployAsync(version, kind: DeploymentKind.Rag, name: "docs"));
        await using (var db = Product.Open())
        {
            await db.AddIndexAsync(new BuiltIndex("docs", await Product.StoreAsync("index"), 3, 30, 64, version.Id, "{}", null), Product.Alice, Product.Clock.GetUtcNow(), default);
            await db.SaveChangesAsync();
        }
        var index = await ReadAsync(db => db.IndexBuilds.SingleAsync());
        await RefusedAsync(ErrorCode.ResourceConflict, () => DeployAsync(version, kind: DeploymentKind.Rag, index: index.Id));
        Assert.Equal(index.Id, (await DeployAsync(version, kind: DeploymentKind.Rag, index: index.Id, name: "docs")).IndexBuildId);
    }
}

public sealed class DeploymentsOnSqlite() : DeploymentTests(DatabaseProvider.Sqlite);

public sealed class DeploymentsOnPostgres() : DeploymentTests(DatabaseProvider.Postgres);
