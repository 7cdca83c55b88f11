using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

public sealed record ApprovalRow(Guid Id, string Model, int Number, string Variant, string Alias, ApprovalState State, Guid RequestedById, string RequestedBy, DateTimeOffset CreatedAt, DateTimeOffset ExpiresAt, string? DecidedBy, DateTimeOffset? DecidedAt, string? Comment)
{
    public string Version => $"{Model}/{Number}";
}

/// <param name="ChampionRunId">Newest evaluation of who holds the alias, to compare row by row.</param>
/// <param name="MaySign">User names of those who could decide: the role, not disabled, not the one who asked.</param>
public sealed record ApprovalDetail(ApprovalRequest Request, ApprovalRow Row, Evidence Evidence, string? ChampionVariant, long? ChampionBytes, Guid? ChampionRunId, IReadOnlyList<string> MaySign, Guid? PipelineRunId)
{
    public IReadOnlyList<ApprovalSignature> Signatures { get; init; } = [];
    public IReadOnlyList<ApprovalComment> Comments { get; init; } = [];
    /// <summary>Approvals given so far, of <see cref="ApprovalRequest.RequiredApprovals"/>.</summary>
    public int Signed => Signatures.Count(s => s.Decision == SignatureDecision.Approve);
}

/// <summary>Requests to move an alias, with what was gathered when they were made.</summary>
public sealed class ReadApprovals(IDbContextFactory<LlmOpsDb> dbs)
{
    public async Task<int> CountWaitingAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.Approvals.CountAsync(a => a.State == ApprovalState.WaitingForApproval, ct);
    }

    /// <summary>Waiting: the one that expires next first. Decided: the newest first.</summary>
    public async Task<Window<ApprovalRow>> ListAsync(bool waiting, string? search, int skip, int take, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var requests = db.Approvals.AsNoTracking().Where(a => waiting ? a.State == ApprovalState.WaitingForApproval : a.State != ApprovalState.WaitingForApproval);
        if (!string.IsNullOrWhiteSpace(search))
        {
            var text = search.Trim().ToLowerInvariant();
            requests = requests.Where(a => a.VariantName.Contains(text) || a.AliasName.Contains(text) || a.RequestedBy.ToLower().Contains(text) || db.Models.Any(m => m.Id == a.ModelId && m.Name.Contains(text)));
        }
        requests = waiting ? requests.OrderBy(a => a.ExpiresAt).ThenBy(a => a.Id) : requests.OrderByDescending(a => a.DecidedAt ?? a.CreatedAt).ThenBy(a => a.Id);
        return await Rows(db, requests).WindowAsync(skip, take, ct);
    }

    public async Task<ApprovalDetail> GetAsync(Guid id, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var request = await db.Approvals.AsNoTracking().SingleOrDefaultAsync(a => a.Id == id, ct) ?? throw LlmOpsException.NotFound("Approval", id);
        var row = await Rows(db, db.Approvals.AsNoTracking().Where(a => a.Id == id)).SingleAsync(ct);
        var evidence = Json.Read<Evidence>(request.EvidenceJson);
        // The alias itself may have moved since: what counts is the form that was measured when it was the champion.
        var championRun = request.ExpectedVersionId is not { } holder ? null : await db.EvaluationRuns.AsNoTracking()
            .Where(r => r.VersionId == holder && r.State == JobState.Succeeded && r.VariantName != "checkpoint" && r.StartedAt <= request.CreatedAt
                && db.AliasMoves.Any(m => m.ToVersionId == holder && m.Name == request.AliasName && m.VariantName == r.VariantName))
            .OrderByDescending(r => r.StartedAt).Select(r => new { r.Id, r.VariantName, Bytes = db.ModelVariants.Where(v => v.VersionId == holder && v.Name == r.VariantName).Select(v => (long?)v.SizeBytes).FirstOrDefault() }).FirstOrDefaultAsync(ct);
        var author = request.Kind == PromotionKind.Promotion ? evidence.AuthorId : null;
        var signers = await (from u in db.Users.AsNoTracking()
                             join ur in db.UserRoles on u.Id equals ur.UserId
                             join r in db.Roles on ur.RoleId equals r.Id
                             where (r.Name == Roles.ReleaseManager || r.Name == Roles.Admin) && !u.Disabled && u.Id != request.RequestedById && u.Id != author
                             select u.UserName!).Distinct().OrderBy(n => n).ToListAsync(ct);
        var pipelineRun = request.StageRunId is not { } stage ? null : await db.StageRuns.Where(s => s.Id == stage).Select(s => (Guid?)s.PipelineRunId).SingleOrDefaultAsync(ct);
        return new(request, row, evidence, championRun?.VariantName, championRun?.Bytes, evidence.Format == 0 ? championRun?.Id : evidence.ChampionRunId, signers, pipelineRun)
        {
            Signatures = await db.ApprovalSignatures.AsNoTracking().Where(s => s.ApprovalId == id).OrderBy(s => s.At).ToListAsync(ct),
            Comments = await db.ApprovalComments.AsNoTracking().Where(c => c.ApprovalId == id).OrderBy(c => c.At).ToListAsync(ct),
        };
    }

    /// <summary>Whether this actor may sign, in whose name, and why not.</summary>
    public async Task<SigningRight> RightAsync(ApprovalRequest request, Actor actor, DateTimeOffset now, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return SigningRight.Of(request, actor, now, await SigningContext.LoadAsync(db, request, actor, ct));
    }

    /// <summary>Delegations that somebody gave or got, the newest first.</summary>
    public async Task<IReadOnlyList<Delegation>> DelegationsAsync(Actor actor, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        return await db.Delegations.AsNoTracking().Where(d => d.FromId == actor.Id || d.ToId == actor.Id).OrderByDescending(d => d.CreatedAt).Take(100).ToListAsync(ct);
    }

    private static IQueryable<ApprovalRow> Rows(LlmOpsDb db, IQueryable<ApprovalRequest> requests) =>
        requests.Join(db.ModelVersions.AsNoTracking(), a => a.VersionId, v => v.Id, (a, v) => new ApprovalRow(a.Id, v.Model!.Name, v.Number, a.VariantName, a.AliasName, a.State,
            a.RequestedById, a.RequestedBy, a.CreatedAt, a.ExpiresAt, a.DecidedBy, a.DecidedAt, a.Comment));
}
