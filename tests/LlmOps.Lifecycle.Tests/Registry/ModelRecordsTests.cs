using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;

namespace LlmOps.Lifecycle.Tests.Registry;

public abstract class ModelRecordsTests(DatabaseProvider provider) : ProductTests(provider)
{
    [Fact]
    public async Task Card_HasFrontMatterWithResults_AndTheBillNamesEveryDigest()
    {
        await Product.DatasetAsync("facts", Lifecycle.Datasets.DatasetKind.Preference, TestProduct.PreferenceRows(20));
        var version = await Product.VersionAsync("tiny-lm", "fp32", "int8");
        await Product.EvaluationAsync(version.Id, "int8", new Dictionary<string, double[]> { ["preference"] = [1, 1, 0, 1] });
        var card = await Get<ReadModelRecords>().CardAsync(new("tiny-lm", 1));
        var head = card.Split("---\n")[1];
        Assert.StartsWith("---\n", card, StringComparison.Ordinal);
        Assert.Contains("license: \"mit\"\n", head, StringComparison.Ordinal);
        Assert.Contains("  - \"facts/1\"\n", head, StringComparison.Ordinal);
        Assert.Contains("model-index:\n  - name: \"tiny-lm/1 int8\"", head, StringComparison.Ordinal);
        Assert.Contains("type: \"preference.accuracy\"\n            value: 0.75\n", head, StringComparison.Ordinal);

        var bom = JsonNode.Parse(await Get<ReadModelRecords>().BillOfMaterialsAsync(new("tiny-lm", 1)))!;
        Assert.Equal(("CycloneDX", "1.6"), (bom["bomFormat"]!.GetValue<string>(), bom["specVersion"]!.GetValue<string>()));
        var subject = bom["metadata"]!["component"]!;
        Assert.Equal(("machine-learning-model", version.ArtifactDigest), (subject["type"]!.GetValue<string>(), subject["hashes"]![0]!["content"]!.GetValue<string>()));
        Assert.Equal("0.75", subject["modelCard"]!["quantitativeAnalysis"]!["performanceMetrics"]![0]!["value"]!.GetValue<string>());
        // Every reference leads to a component of the document.
        var known = bom["components"]!.AsArray().Select(c => c!["bom-ref"]!.GetValue<string>()).Append(subject["bom-ref"]!.GetValue<string>()).ToHashSet();
        var named = bom["dependencies"]!.AsArray().SelectMany(d => d!["dependsOn"]!.AsArray().Select(o => o!.GetValue<string>()).Append(d["ref"]!.GetValue<string>()));
        Assert.Empty(named.Except(known));
        Assert.Contains("data:facts/1", known);
    }

    [Fact]
    public async Task History_SaysWhatWasThere_OnWhoseWord_OnWhichEvidence()
    {
        var start = Product.Clock.GetUtcNow();
        Product.Clock.Advance(TimeSpan.FromHours(1));
        var first = await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        Product.Clock.Advance(TimeSpan.FromHours(1));
        var between = Product.Clock.GetUtcNow();
        Product.Clock.Advance(TimeSpan.FromHours(1));
        await Product.VersionAsync("tiny-lm", "int8");
        var order = new PromotionOrder("tiny-lm/2", "int8", "production", PromotionKind.Override, "Nothing answers at all.");
        var request = await Get<RequestPromotion>().RequestAsync(order, Product.Rosa);
        await Get<DecideApproval>().ApproveAsync(request.Id, "", Product.Ada);
        var history = Get<ReadAliasHistory>();
        Assert.Null(await history.AtAsync("tiny-lm", "production", start));
        var then = (await history.AtAsync("tiny-lm", "production", between))!;
        Assert.Equal(("tiny-lm/1", "alice", first.EvidenceDigest, (Guid?)first.Id), (then.Version, then.RequestedBy, then.EvidenceDigest, then.ApprovalId));
        Assert.Equal(["rosa"], then.OnWhoseWord);
        Assert.NotNull(then.Until);
        var mark = Assert.Single(await history.OverridesAsync("tiny-lm"));
        Assert.Equal(("tiny-lm/2", order.Reason), (mark.Version, mark.Reason));
        Assert.Equal(["ada"], mark.OnWhoseWord);
        Assert.Null(mark.Until);
    }
}

public sealed class ModelRecordsOnSqlite() : ModelRecordsTests(DatabaseProvider.Sqlite);

public sealed class ModelRecordsOnPostgres() : ModelRecordsTests(DatabaseProvider.Postgres);
