using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Promotion;

public abstract class ApprovalTests(DatabaseProvider provider) : ProductTests(provider)
{
    private DecideApproval Decide => Get<DecideApproval>();

    private async Task<(ModelVersion Version, ApprovalRequest Request)> RequestedAsync()
    {
        var version = await Product.VersionAsync("tiny-lm", "fp32", "int8");
        return (version, await Product.RequestAsync(version, "int8"));
    }

    private Task<ApprovalRequest> StoredAsync(ApprovalRequest request) => ReadAsync(db => db.Approvals.AsNoTracking().SingleAsync(a => a.Id == request.Id));

    private async Task AssertUndecidedAsync(ApprovalRequest request)
    {
        Assert.Equal(ApprovalState.WaitingForApproval, (await StoredAsync(request)).State);
        Assert.Equal((0, 0), (await CountAsync(db => db.Aliases), await CountAsync(db => db.AliasMoves)));
        Assert.DoesNotContain("approve approval", await Product.AuditAsync());
    }

    [Fact]
    public async Task Approve_MovesTheAlias_WithHistoryAndAudit()
    {
        var (version, request) = await RequestedAsync();
        await Decide.ApproveAsync(request.Id, "Looks good.", Product.Rosa);
        var stored = await StoredAsync(request);
        Assert.Equal((ApprovalState.Approved, "rosa", "Looks good."), (stored.State, stored.DecidedBy, stored.Comment));
        var alias = await ReadAsync(db => db.Aliases.SingleAsync());
        Assert.Equal(("production", version.Id, "int8"), (alias.Name, alias.VersionId, alias.VariantName));
        var move = await ReadAsync(db => db.AliasMoves.SingleAsync());
        Assert.Equal((null, version.Id, (Guid?)request.Id, "rosa"), (move.FromVersionId, move.ToVersionId, move.ApprovalId, move.MovedBy));
        Assert.Equal(["request-promotion approval", "approve approval", "move-alias model", "attest approval"], (await Product.AuditAsync()).Where(a => a != "create signing-key").TakeLast(4));
    }

    [Fact]
    public async Task Requester_CannotApprove_WhateverTheirRole()
    {
        var version = await Product.VersionAsync("tiny-lm", "int8");
        var request = await Product.RequestAsync(version, "int8", actor: Product.Ada);
        Assert.Contains("A second person has to decide", await RefusedAsync(ErrorCode.PermissionDenied, () => Decide.ApproveAsync(request.Id, "", Product.Ada)), StringComparison.Ordinal);
        Assert.Equal("You asked for this promotion. A second person has to decide.", DecideApproval.Objection(request, Product.Ada, Product.Clock.GetUtcNow()));
        await AssertUndecidedAsync(request);
        Assert.Null(DecideApproval.Objection(request, Product.Rosa, Product.Clock.GetUtcNow()));
    }

    [Fact]
    public async Task ViewerEngineerAndTheProductItself_CannotApprove()
    {
        var (_, request) = await RequestedAsync();
        foreach (var actor in new[] { Product.Victor, Product.Alice, Actor.System })
        {
            await RefusedAsync(ErrorCode.PermissionDenied, () => Decide.ApproveAsync(request.Id, "", actor));
            await RefusedAsync(ErrorCode.PermissionDenied, () => Decide.RejectAsync(request.Id, "no", actor));
        }
        await AssertUndecidedAsync(request);
    }

    [Fact]
    public async Task ExpiredRequest_CannotBeApproved()
    {
        var (_, request) = await RequestedAsync();
        Product.Clock.Advance(TimeSpan.FromDays(15));
        Assert.Contains("expired", await RefusedAsync(ErrorCode.ResourceConflict, () => Decide.ApproveAsync(request.Id, "", Product.Rosa)), StringComparison.Ordinal);
        await AssertUndecidedAsync(request);
    }

    [Fact]
    public async Task Decision_CannotBeReplayed()
    {
        var (_, request) = await RequestedAsync();
        await Decide.ApproveAsync(request.Id, "", Product.Rosa);
        await RefusedAsync(ErrorCode.ResourceConflict, () => Decide.ApproveAsync(request.Id, "", Product.Rosa));
        await RefusedAsync(ErrorCode.ResourceConflict, () => Decide.RejectAsync(request.Id, "Changed my mind.", Product.Ada));
        Assert.Equal(1, await CountAsync(db => db.AliasMoves));
    }

    [Fact]
    public async Task Decision_IsMadeOnce_WhenTwoPeopleDecideAtOnce()
    {
        var (_, request) = await RequestedAsync();
        var decided = await AtOnceAsync(6, async i =>
        {
            try
            {
                await (i % 2 == 0 ? Decide.ApproveAsync(request.Id, "yes", Product.Rosa) : Decide.RejectAsync(request.Id, "no", Product.Ada));
                return true;
            }
            catch (LlmOpsException e) when (e.Code == ErrorCode.ResourceConflict)
            {
                return false;
            }
        });
        Assert.Single(decided, d => d);
        var approved = (await StoredAsync(request)).State == ApprovalState.Approved;
        Assert.Equal(approved ? 1 : 0, await CountAsync(db => db.AliasMoves));
        Assert.Equal(1, await CountAsync(db => db.Audit.Where(a => a.Action == "approve" || a.Action == "reject")));
    }

    [Fact]
    public async Task Alias_MovesOnce_WhenTwoRequestsAreApprovedAtOnce()
    {
        var version = await Product.VersionAsync("tiny-lm", "fp32", "int8");
        ApprovalRequest[] requests = [await Product.RequestAsync(version, "fp32"), await Product.RequestAsync(version, "int8")];
        var approved = await AtOnceAsync(2, async i =>
        {
            try
            {
                await Decide.ApproveAsync(requests[i].Id, "", Product.Rosa);
                return true;
            }
            catch (LlmOpsException e) when (e.Code == ErrorCode.ResourceConflict)
            {
                return false;
            }
        });
        Assert.Single(approved, a => a);
        Assert.Equal((1, 1), (await CountAsync(db => db.Aliases), await CountAsync(db => db.AliasMoves)));
        Assert.Equal(1, await CountAsync(db => db.Approvals.Where(a => a.State == ApprovalState.Approved)));
    }

    [Fact]
    public async Task Approve_IsRefused_WhenTheAliasMovedMeanwhile()
    {
        var (_, request) = await RequestedAsync();
        var other = await Product.VersionAsync("tiny-lm", "fp32");
        await Product.PromoteAsync(other, "fp32");
        Assert.Contains("'production' moved", await RefusedAsync(ErrorCode.ResourceConflict, () => Decide.ApproveAsync(request.Id, "", Product.Rosa)), StringComparison.Ordinal);
        Assert.Equal(other.Id, (await ReadAsync(db => db.Aliases.SingleAsync())).VersionId);
        Assert.Equal(ApprovalState.Voided, (await StoredAsync(request)).State);
    }

    [Fact]
    public async Task Approve_IsRefused_WhenTheAliasMovedToAnotherVariantOfTheSameVersion()
    {
        var version = await Product.VersionAsync("tiny-lm", "fp32", "int8", "int4");
        await Product.PromoteAsync(version, "fp32");
        var first = await Product.RequestAsync(version, "int8");
        var second = await Product.RequestAsync(version, "int4");
        await Decide.ApproveAsync(first.Id, "", Product.Rosa);
        await RefusedAsync(ErrorCode.ResourceConflict, () => Decide.ApproveAsync(second.Id, "", Product.Rosa));
        Assert.Equal("int8", (await ReadAsync(db => db.Aliases.SingleAsync())).VariantName);
    }

    [Fact]
    public async Task Approve_IsRefused_WhenTheVariantWasMadeAgain()
    {
        var (version, request) = await RequestedAsync();
        await using (var db = Product.Open())
        {
            await db.PutVariantAsync(new NewVariant(version.Id, "int8", "int8", await Product.StoreAsync("other bytes"), null, "{}", null), Product.Alice, Product.Clock.GetUtcNow(), default);
            await db.SaveChangesAsync();
        }
        Assert.Contains("made again", await RefusedAsync(ErrorCode.ResourceConflict, () => Decide.ApproveAsync(request.Id, "", Product.Rosa)), StringComparison.Ordinal);
        Assert.Equal((ApprovalState.Voided, 0), ((await StoredAsync(request)).State, await CountAsync(db => db.AliasMoves)));
    }

    [Fact]
    public async Task ApprovedVariant_CannotBeReplaced_EvenAfterTheAliasMovedOn()
    {
        var version = await Product.VersionAsync("tiny-lm", "fp32", "int8");
        await Product.PromoteAsync(version, "int8");
        await Product.PromoteAsync(version, "fp32");
        await using var db = Product.Open();
        var other = new NewVariant(version.Id, "int8", "int8", await Product.StoreAsync("other bytes"), null, "{}", null);
        await RefusedAsync(ErrorCode.ResourceConflict, () => db.PutVariantAsync(other, Product.Alice, Product.Clock.GetUtcNow(), default));
        // The same bytes again are no change: a stage that is run twice makes them.
        var same = await ReadAsync(d => d.ModelVariants.AsNoTracking().SingleAsync(v => v.Name == "int8"));
        var kept = await db.PutVariantAsync(other with { Artifact = new(same.ArtifactDigest, new([])) }, Product.Alice, Product.Clock.GetUtcNow(), default);
        Assert.Equal(same.Id, kept.Id);
    }

    [Theory]
    [InlineData("")]
    [InlineData("  ")]
    public async Task Reject_NeedsAComment(string comment)
    {
        var (_, request) = await RequestedAsync();
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => Decide.RejectAsync(request.Id, comment, Product.Rosa));
        await AssertUndecidedAsync(request);
        await Decide.RejectAsync(request.Id, "Too slow.", Product.Rosa);
        Assert.Equal((ApprovalState.Rejected, "Too slow."), (await StoredAsync(request)) switch { var r => (r.State, r.Comment) });
        Assert.Equal(0, await CountAsync(db => db.Aliases));
    }

    [Fact]
    public async Task Evidence_IsWhatWasMeasured_AndItsDigestIsSigned()
    {
        var champion = await Product.VersionAsync("tiny-lm", "int8");
        await Product.EvaluationAsync(champion.Id, "int8", new Dictionary<string, double[]> { ["latency"] = [10, 12, 14] });
        await Product.PromoteAsync(champion, "int8");
        var version = await Product.VersionAsync("tiny-lm", "int8");
        var run = await Product.EvaluationAsync(version.Id, "int8", new Dictionary<string, double[]> { ["latency"] = [8, 9, 10], ["preference"] = [1, 1, 0, 1] });
        var request = await Product.RequestAsync(version, "int8");
        var evidence = Json.Read<Evidence>(request.EvidenceJson);
        Assert.Equal(("tiny-lm/2", "int8", "tiny-lm/1", (Guid?)run.Id), (evidence.Version, evidence.Variant, evidence.Champion, evidence.EvaluationRunId));
        Assert.Equal([("latency.ms", 9.0, 12.0), ("preference.accuracy", 0.75, null)], evidence.Metrics.Select(m => (m.Name, m.Value, m.ChampionValue)));
        Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(request.EvidenceJson))), request.EvidenceDigest);
        await Decide.ApproveAsync(request.Id, "", Product.Rosa);
        Assert.Contains(request.EvidenceDigest, (await ReadAsync(db => db.Audit.OrderByDescending(a => a.Id).FirstAsync(a => a.Action == "approve"))).After, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Request_IsRefused_ForWhatDoesNotExist()
    {
        var version = await Product.VersionAsync("tiny-lm", "int8");
        var ask = Get<RequestPromotion>();
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Product.RequestAsync(version, "int2"));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => ask.RequestAsync("tiny-lm/9", "int8", "production", Product.Alice));
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => ask.RequestAsync("tiny-lm", "int8", "production", Product.Alice));
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => ask.RequestAsync("tiny-lm/1", "int8", "Big Alias", Product.Alice));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Decide.ApproveAsync(Guid.NewGuid(), "", Product.Rosa));
        Assert.Equal(0, await CountAsync(db => db.Approvals));
    }
}

public sealed class ApprovalsOnSqlite() : ApprovalTests(DatabaseProvider.Sqlite);

public sealed class ApprovalsOnPostgres() : ApprovalTests(DatabaseProvider.Postgres);
