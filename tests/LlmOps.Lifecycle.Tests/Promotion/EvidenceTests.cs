using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Promotion;

/// <summary>What is signed, and that nobody's signature survives a change of it.</summary>
public abstract class EvidenceTests(DatabaseProvider provider) : ProductTests(provider)
{
    private static readonly Dictionary<string, double[]> Better = new() { ["preference"] = [1, 1, 1, 1, 1, 1, 0, 1, 1, 1] }, Worse = new() { ["preference"] = [1, 0, 1, 0, 1, 0, 0, 1, 0, 1] };

    private async Task<(ModelVersion Champion, ModelVersion Version, ApprovalRequest Request)> RequestedAsync()
    {
        await Product.DatasetAsync("facts", Lifecycle.Datasets.DatasetKind.Preference, TestProduct.PreferenceRows(20));
        var champion = await Product.VersionAsync("tiny-lm", "int8");
        await Product.EvaluationAsync(champion.Id, "int8", Worse);
        await Product.PromoteAsync(champion, "int8");
        var version = await Product.VersionAsync("tiny-lm", "fp32", "int8");
        await Product.EvaluationAsync(version.Id, "int8", Better);
        Product.Clock.Advance(TimeSpan.FromMinutes(1));
        return (champion, version, await Product.RequestAsync(version, "int8"));
    }

    [Fact]
    public async Task Bundle_HoldsLineageDatasetsEffectsReportsAndRules()
    {
        var (_, version, request) = await RequestedAsync();
        var evidence = Json.Read<Evidence>(request.EvidenceJson);
        Assert.Equal(request.EvidenceJson, CanonicalJson.Write(evidence));
        Assert.Equal((version.ArtifactDigest, "production", "int8", 1), (evidence.VersionDigest, evidence.Alias, evidence.ChampionVariant, evidence.AliasRevision));
        var data = Assert.Single(evidence.Datasets!);
        Assert.Equal(("facts/1", await ReadAsync(db => db.DatasetVersions.Select(d => d.ArtifactDigest).SingleAsync())), (data.Key, data.Digest));
        var effect = Assert.Single(evidence.Effects!);
        Assert.Equal(("preference.accuracy", 10, 4, 0), (effect.Name, effect.N, effect.Improved, effect.Regressed));
        Assert.Equal(0.4, effect.Value, 12);
        Assert.InRange(effect.Value, effect.Low, effect.High);
        Assert.Equal(64, evidence.ModelCardDigest!.Length);
        Assert.Equal(1, evidence.Environment!.RequiredApprovals);
    }

    public static TheoryData<string> Inputs => ["measured again", "another suite", "dataset", "gate", "alias", "parity", "description", "environment", "bundle"];

    [Theory]
    [MemberData(nameof(Inputs))]
    public async Task ChangedInput_Voids_InTheSweepAndAtTheSignature(string input)
    {
        var (champion, version, request) = await RequestedAsync();
        Assert.Equal(0, await Get<ExpireApprovals>().ExpireAsync());
        var words = await ChangeAsync(input, champion, version, request);
        var second = await ReadAsync(db => db.Approvals.AsNoTracking().SingleAsync(a => a.Id == request.Id));
        Assert.Equal(ApprovalState.WaitingForApproval, second.State);
        if (input.Length % 2 == 0)
            Assert.Equal(1, await Get<ExpireApprovals>().ExpireAsync());
        else
            Assert.Contains("void", await RefusedAsync(ErrorCode.ResourceConflict, () => Get<DecideApproval>().ApproveAsync(request.Id, "", Product.Rosa)), StringComparison.Ordinal);
        var stored = await ReadAsync(db => db.Approvals.AsNoTracking().SingleAsync(a => a.Id == request.Id));
        Assert.Equal(ApprovalState.Voided, stored.State);
        Assert.Contains(words, stored.VoidedReason, StringComparison.Ordinal);
        await RefusedAsync(ErrorCode.ResourceConflict, () => Get<DecideApproval>().ApproveAsync(request.Id, "", Product.Rosa));
        Assert.DoesNotContain(request.Id, await ReadAsync(db => db.AliasMoves.Select(m => m.ApprovalId!.Value).ToListAsync()));
    }

    private async Task<string> ChangeAsync(string input, ModelVersion champion, ModelVersion version, ApprovalRequest request)
    {
        switch (input)
        {
            case "measured again":
                await Product.EvaluationAsync(version.Id, "int8", Worse);
                return "int8 was measured again";
            case "another suite":
                await Product.EvaluationAsync(version.Id, "int8", Worse, "safety");
                return "int8 was measured again, or its numbers changed";
            case "dataset":
                await ReadAsync(db => db.DatasetVersions.ExecuteUpdateAsync(u => u.SetProperty(d => d.ArtifactDigest, new string('a', 64))));
                return "a dataset it was trained on changed";
            case "gate":
                await Product.WriteAsync(db => db.GateDecisions.Add(new GateDecision { VersionId = version.Id, VariantName = "int8", Verdict = Verdict.Fail, PolicyJson = "{}", ReasonsJson = "[]", JobId = Guid.CreateVersion7(), At = Product.Clock.GetUtcNow() }));
                return "the gate decided again";
            case "alias":
                await Product.PromoteAsync(version, "fp32");
                return "'production' moved";
            case "parity":
                await ReadAsync(db => db.ModelVersions.Where(v => v.Id == version.Id).ExecuteUpdateAsync(u => u.SetProperty(v => v.ParityJson, "{}").SetProperty(v => v.ParityPassed, false)));
                return "the parity report changed";
            case "description":
                await Get<DescribeModel>().DescribeAsync("tiny-lm", "Now something else.", Product.Alice);
                return "the model card changed";
            case "environment":
                await Get<DefineEnvironments>().DefineAsync("tiny-lm", [ModelEnvironment.Plain("production") with { RequiredApprovals = 2 }], Product.Ada);
                return "the rules of 'production' changed";
            default:
                await ReadAsync(db => db.Approvals.Where(a => a.Id == request.Id).ExecuteUpdateAsync(u => u.SetProperty(a => a.EvidenceJson, request.EvidenceJson.Replace("\"licence\":\"MIT\"", "\"licence\":\"none\""))));
                return "somebody edited it";
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task BundleOfAnOlderShape_IsJudgedByWhatItHolds(int format)
    {
        var (_, version, request) = await RequestedAsync();
        var now = Json.Read<Evidence>(request.EvidenceJson);
        IReadOnlyList<EvidenceMetric> metrics = [.. now.Metrics.Select(m => m with { Suite = null })];
        var old = format == 0
            ? new Evidence(now.Version, now.VersionDigest, now.Variant, now.VariantDigest, now.VariantBytes, now.TrainedOn, now.Licence, now.ParityPassed, now.EvaluationRunId, metrics, now.GateVerdict, now.GateReasons, now.Champion)
            : now with { Format = 1, Metrics = metrics, Runs = null };
        var text = CanonicalJson.Write(old);
        await ReadAsync(db => db.Approvals.Where(a => a.Id == request.Id).ExecuteUpdateAsync(u => u.SetProperty(a => a.EvidenceJson, text).SetProperty(a => a.EvidenceDigest, CanonicalJson.Digest(text))));
        Assert.Equal(0, await Get<ExpireApprovals>().ExpireAsync());
        await Product.EvaluationAsync(version.Id, "int8", Worse);
        Assert.Equal(1, await Get<ExpireApprovals>().ExpireAsync());
    }

    [Fact]
    public async Task AnotherVariantMeasured_LeavesTheRequestAlone()
    {
        var (_, version, request) = await RequestedAsync();
        await Product.EvaluationAsync(version.Id, "fp32", Worse);
        Assert.Equal(0, await Get<ExpireApprovals>().ExpireAsync());
        await Get<DecideApproval>().ApproveAsync(request.Id, "fine", Product.Rosa);
    }

    [Fact]
    public async Task EverySuite_IsEvidence_AndIsComparedWithTheChampionOnTheSameSuite()
    {
        var (champion, version, _) = await RequestedAsync();
        var safeChampion = await Product.EvaluationAsync(champion.Id, "int8", Better, "safety");
        var safe = await Product.EvaluationAsync(version.Id, "int8", Worse, "safety");
        var evidence = Json.Read<Evidence>((await Product.RequestAsync(version, "int8")).EvidenceJson);
        Assert.Equal(["quickstart", "safety"], evidence.Runs!.Select(r => r.Suite));
        Assert.Equal((safe.Id, (Guid?)safeChampion.Id), (evidence.Runs![1].RunId, evidence.Runs[1].ChampionRunId));
        Assert.Equal([("quickstart", 0.4), ("safety", -0.4)], evidence.Effects!.Select(e => (e.Suite!, Math.Round(e.Value, 9))));
        Assert.Equal([("quickstart", 0.9, 0.5), ("safety", 0.5, 0.9)], evidence.Metrics.Select(m => (m.Suite!, m.Value, m.ChampionValue!.Value)));
    }

    [Fact]
    public async Task WhoHadTheVersionMade_DoesNotSignForIt_NorHandsItOn_ButMayRollBack()
    {
        var (_, version, _) = await RequestedAsync();
        var job = Lifecycle.Jobs.Job.Queue("fine-tune", "{}", Product.Rosa, Product.Clock.GetUtcNow());
        await Product.WriteAsync(db => db.Jobs.Add(job));
        await ReadAsync(db => db.ModelVersions.Where(v => v.Id == version.Id).ExecuteUpdateAsync(u => u.SetProperty(v => v.ProducedByJobId, job.Id)));
        var request = await Product.RequestAsync(version, "int8");
        Assert.Equal("rosa", Json.Read<Evidence>(request.EvidenceJson).Author);
        Assert.Contains("had this version made", await RefusedAsync(ErrorCode.PermissionDenied, () => Get<DecideApproval>().ApproveAsync(request.Id, "mine", Product.Rosa)), StringComparison.Ordinal);
        await Get<DecideApproval>().ApproveAsync(request.Id, "fine", Product.Ada);
        var back = await Get<RequestRollback>().RequestAsync("tiny-lm", "production", "it broke", Product.Alice);
        await Get<DecideApproval>().ApproveAsync(back.Id, "yes", Product.Rosa);
    }

    [Fact]
    public void CanonicalJson_SortsNamesAtEveryDepth() =>
        Assert.Equal("""{"a":[{"c":1,"d":2}],"b":{"x":null,"y":"ä"}}""",
            CanonicalJson.Write(System.Text.Json.Nodes.JsonNode.Parse("""{ "b": {"y": "ä", "x": null}, "a": [ {"d": 2, "c": 1} ] }""")));
}

public sealed class EvidenceOnSqlite() : EvidenceTests(DatabaseProvider.Sqlite);

public sealed class EvidenceOnPostgres() : EvidenceTests(DatabaseProvider.Postgres);
