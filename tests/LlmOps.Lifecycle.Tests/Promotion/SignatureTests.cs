using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Promotion;

/// <summary>N people, none of them the author, each once, for the evidence that is there now.</summary>
public abstract class SignatureTests(DatabaseProvider provider) : ProductTests(provider)
{
    private DecideApproval Decide => Get<DecideApproval>();

    private async Task<ModelVersion> VersionAsync(int approvals, Verdict? minimum = null, params string[] roles)
    {
        var version = await Product.VersionAsync("tiny-lm", "int8", "fp32");
        await Get<DefineEnvironments>().DefineAsync("tiny-lm", [new("production", approvals, roles.Length == 0 ? ModelEnvironment.SigningRoles : roles, minimum)], Product.Ada);
        return version;
    }

    private async Task<Actor> PersonAsync(string name, string role)
    {
        var person = await Get<ManagePeople>().CreateAsync(name, name, null, [role], Product.Ada);
        return Actor.WithRoles(person.Id, name, [role]);
    }

    private async Task<ApprovalState> StateAsync(ApprovalRequest request) => await ReadAsync(db => db.Approvals.Where(a => a.Id == request.Id).Select(a => a.State).SingleAsync());

    [Fact]
    public async Task AliasMoves_WithTheLastSignature_AndNotBefore()
    {
        var request = await Product.RequestAsync(await VersionAsync(2), "int8");
        Assert.Equal(2, request.RequiredApprovals);
        await Decide.ApproveAsync(request.Id, "rows read", Product.Rosa);
        Assert.Equal((ApprovalState.WaitingForApproval, 0), (await StateAsync(request), await CountAsync(db => db.Aliases)));
        Assert.Contains("signed this already", await RefusedAsync(ErrorCode.ResourceConflict, () => Decide.ApproveAsync(request.Id, "", Product.Rosa)), StringComparison.Ordinal);
        await Decide.ApproveAsync(request.Id, "yes", Product.Ada);
        Assert.Equal((ApprovalState.Approved, 1), (await StateAsync(request), await CountAsync(db => db.AliasMoves)));
        var signatures = await ReadAsync(db => db.ApprovalSignatures.OrderBy(s => s.At).ToListAsync());
        Assert.Equal(["ada", "rosa"], signatures.Select(s => s.PersonName).Order());
        Assert.All(signatures, s => Assert.Equal(request.EvidenceDigest, s.EvidenceDigest));
        Assert.Equal(request.EvidenceDigest, await ReadAsync(db => db.AliasMoves.Select(m => m.EvidenceDigest).SingleAsync()));
    }

    [Fact]
    public async Task AliasMovesOnce_WhenTheLastTwoSignAtOnce()
    {
        var request = await Product.RequestAsync(await VersionAsync(2), "int8");
        Actor[] people = [Product.Rosa, Product.Ada, Actor.WithRoles(Guid.NewGuid(), "rolf", [Roles.ReleaseManager])];
        await AtOnceAsync(3, async i =>
        {
            try
            {
                await Decide.ApproveAsync(request.Id, "", people[i]);
                return true;
            }
            catch (LlmOpsException e) when (e.Code == ErrorCode.ResourceConflict)
            {
                return false;
            }
        });
        var signed = await CountAsync(db => db.ApprovalSignatures);
        Assert.InRange(signed, 1, 2);
        Assert.Equal(signed == 2 ? 1 : 0, await CountAsync(db => db.AliasMoves));
    }

    [Fact]
    public async Task Replay_OfASignatureForOtherEvidence_IsRefused()
    {
        var version = await VersionAsync(1);
        var old = await Product.RequestAsync(version, "int8");
        await Get<WithdrawApproval>().WithdrawAsync(old.Id, "", Product.Alice);
        await Product.EvaluationAsync(version.Id, "int8", new Dictionary<string, double[]> { ["preference"] = [1, 0, 1] });
        var request = await Product.RequestAsync(version, "int8");
        Assert.NotEqual(old.EvidenceDigest, request.EvidenceDigest);
        await RefusedAsync(ErrorCode.ResourceConflict, () => Decide.ApproveAsync(request.Id, "", old.EvidenceDigest, Product.Rosa));
        await RefusedAsync(ErrorCode.ResourceConflict, () => Decide.ApproveAsync(old.Id, "", old.EvidenceDigest, Product.Rosa));
        Assert.Equal(0, await CountAsync(db => db.ApprovalSignatures));
        await Decide.ApproveAsync(request.Id, "", request.EvidenceDigest, Product.Rosa);
        Assert.Equal(ApprovalState.Approved, await StateAsync(request));
    }

    [Fact]
    public async Task Environment_SaysWhichRoleSigns_AndWhichVerdictItTakes()
    {
        var version = await VersionAsync(1, Verdict.Pass, Roles.Admin);
        Assert.Contains("no gate judged", await RefusedAsync(ErrorCode.ResourceConflict, () => Product.RequestAsync(version, "int8")), StringComparison.Ordinal);
        await Product.WriteAsync(db => db.GateDecisions.Add(new GateDecision { VersionId = version.Id, VariantName = "int8", Verdict = Verdict.Pass, PolicyJson = "{}", ReasonsJson = "[]", JobId = Guid.CreateVersion7(), At = Product.Clock.GetUtcNow() }));
        var request = await Product.RequestAsync(version, "int8");
        Assert.Contains("role Admin", await RefusedAsync(ErrorCode.PermissionDenied, () => Decide.ApproveAsync(request.Id, "", Product.Rosa)), StringComparison.Ordinal);
        await Decide.ApproveAsync(request.Id, "", Product.Ada);
        Assert.Equal(1, await CountAsync(db => db.AliasMoves));
    }

    [Theory]
    [InlineData("other", true)]
    [InlineData("author", false)]
    [InlineData("over", false)]
    [InlineData("revoked", false)]
    [InlineData("role lost", false)]
    [InlineData("only looks by now", false)]
    public async Task Delegate_SignsInAnothersPlace_WithinDates_AndNeverForTheAuthor(string way, bool allowed)
    {
        var rosa = await PersonAsync("rita", Roles.ReleaseManager);
        var dora = await PersonAsync("dora", Roles.Engineer);
        var version = await VersionAsync(1);
        var now = Product.Clock.GetUtcNow();
        var delegation = await Get<ManageDelegations>().CreateAsync("dora", now, now.AddDays(2), "holiday", rosa);
        var author = way == "author" ? Actor.WithRoles(rosa.Id, "rita", [Roles.ReleaseManager, Roles.Engineer]) : Product.Alice;
        var request = await Product.RequestAsync(version, "int8", actor: author);
        if (way == "over")
            Product.Clock.Advance(TimeSpan.FromDays(3));
        if (way == "revoked")
            await Get<ManageDelegations>().RevokeAsync(delegation.Id, rosa);
        if (way == "only looks by now")
            dora = Actor.WithRoles(dora.Id, "dora", [Roles.Viewer]);
        if (way == "role lost")
            await Get<ManagePeople>().ChangeAsync(rosa.Id, [Roles.Viewer], false, Product.Ada);
        if (!allowed)
        {
            await RefusedAsync(ErrorCode.PermissionDenied, () => Decide.ApproveAsync(request.Id, "", dora));
            Assert.Equal(0, await CountAsync(db => db.ApprovalSignatures));
            return;
        }
        await Decide.ApproveAsync(request.Id, "", dora);
        var signature = await ReadAsync(db => db.ApprovalSignatures.SingleAsync());
        Assert.Equal(("dora", "rita", (Guid?)rosa.Id), (signature.PersonName, signature.OnBehalfOf, signature.OnBehalfOfId));
        Assert.Equal(ApprovalState.Approved, await StateAsync(request));
    }

    [Fact]
    public async Task OnePersonsWord_CountsOnce_AlsoThroughADelegate()
    {
        var rita = await PersonAsync("rita", Roles.ReleaseManager);
        var dora = await PersonAsync("dora", Roles.Engineer);
        var request = await Product.RequestAsync(await VersionAsync(2), "int8");
        await Get<ManageDelegations>().CreateAsync("dora", Product.Clock.GetUtcNow(), Product.Clock.GetUtcNow().AddDays(2), "holiday", rita);
        await Decide.ApproveAsync(request.Id, "", dora);
        Assert.Contains("in your place", await RefusedAsync(ErrorCode.ResourceConflict, () => Decide.ApproveAsync(request.Id, "", rita)), StringComparison.Ordinal);
        Assert.Equal(ApprovalState.WaitingForApproval, await StateAsync(request));
    }

    [Fact]
    public async Task Override_NeedsAReasonAndAnotherAdministrator_AndLeavesAMark()
    {
        var version = await VersionAsync(2, Verdict.Pass);
        var ask = Get<RequestPromotion>();
        var order = new PromotionOrder("tiny-lm/1", "int8", "production", PromotionKind.Override, "Production answers with garbage since noon.");
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => ask.RequestAsync(order with { Reason = " " }, Product.Ada));
        await RefusedAsync(ErrorCode.PermissionDenied, () => ask.RequestAsync(order, Product.Alice));
        var request = await ask.RequestAsync(order, Product.Ada);
        await RefusedAsync(ErrorCode.PermissionDenied, () => Decide.ApproveAsync(request.Id, "", Product.Ada));
        await RefusedAsync(ErrorCode.PermissionDenied, () => Decide.ApproveAsync(request.Id, "", Product.Rosa));
        await Decide.ApproveAsync(request.Id, "", Actor.WithRoles(Guid.NewGuid(), "otto", [Roles.Admin]));
        var move = await ReadAsync(db => db.AliasMoves.SingleAsync());
        Assert.Equal(("Override", order.Reason, version.Id), (move.Kind, move.Reason, move.ToVersionId));
    }

    [Fact]
    public async Task Rollback_GoesBackToTheFormerHolder_WithOneApproval()
    {
        var first = await VersionAsync(1);
        await Product.PromoteAsync(first, "int8");
        await RefusedAsync(ErrorCode.ResourceConflict, () => Get<RequestRollback>().RequestAsync("tiny-lm", "production", null, Product.Rosa));
        await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        await Get<DefineEnvironments>().DefineAsync("tiny-lm", [ModelEnvironment.Plain("production") with { RequiredApprovals = 3, MinimumVerdict = Verdict.Pass }], Product.Ada);
        var request = await Get<RequestRollback>().RequestAsync("tiny-lm", "production", "worse answers", Product.Rosa);
        Assert.Equal((first.Id, "int8", 1, PromotionKind.Rollback), (request.VersionId, request.VariantName, request.RequiredApprovals, request.Kind));
        await RefusedAsync(ErrorCode.PermissionDenied, () => Decide.ApproveAsync(request.Id, "", Product.Rosa));
        await Decide.ApproveAsync(request.Id, "", Product.Ada);
        Assert.Equal(first.Id, await ReadAsync(db => db.Aliases.Select(a => a.VersionId).SingleAsync()));
    }

    [Fact]
    public async Task Withdrawal_IsTheAuthors_AndEndsTheRequest()
    {
        var request = await Product.RequestAsync(await VersionAsync(2), "int8");
        await Decide.ApproveAsync(request.Id, "", Product.Rosa);
        await RefusedAsync(ErrorCode.PermissionDenied, () => Get<WithdrawApproval>().WithdrawAsync(request.Id, "", Product.Ada));
        await Get<WithdrawApproval>().WithdrawAsync(request.Id, "Found a mistake.", Product.Alice);
        Assert.Equal(ApprovalState.Withdrawn, await StateAsync(request));
        await RefusedAsync(ErrorCode.ResourceConflict, () => Decide.ApproveAsync(request.Id, "", Product.Ada));
        Assert.Equal(0, await CountAsync(db => db.AliasMoves));
    }
}

public sealed class SignaturesOnSqlite() : SignatureTests(DatabaseProvider.Sqlite);

public sealed class SignaturesOnPostgres() : SignatureTests(DatabaseProvider.Postgres);
