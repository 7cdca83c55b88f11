using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Promotion;

/// <param name="Number">Of its newest version.</param>
public sealed record PolicyRow(string Name, int Number, string Description, int Rules, int Decisions, string CreatedBy, DateTimeOffset CreatedAt)
{
    public string Key => $"{Name}/{Number}";
}

public sealed record PolicyDecision(Guid Id, string Model, int Number, string Variant, Verdict Verdict, int Look, string Words, DateTimeOffset At);

/// <param name="Numbers">All of its versions, newest first.</param>
public sealed record PolicyDetail(Guid Id, string Name, int Number, string Yaml, string Digest, string CreatedBy, DateTimeOffset CreatedAt, PolicyDocument Document, IReadOnlyList<int> Numbers, IReadOnlyList<PolicyDecision> Decisions)
{
    public string Key => $"{Name}/{Number}";
}

public sealed class ReadPolicies(IDbContextFactory<LlmOpsDb> dbs)
{
    private const int MostDecisions = 50;

    public async Task<IReadOnlyList<PolicyRow>> ListAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var newest = await db.GatePolicies.AsNoTracking().Where(p => p.Number == db.GatePolicies.Where(o => o.Name == p.Name).Max(o => o.Number)).OrderBy(p => p.Name)
            .Select(p => new { p.Name, p.Number, p.Yaml, p.CreatedBy, p.CreatedAt, Decisions = db.GateDecisions.Count(d => db.GatePolicies.Any(o => o.Name == p.Name && o.Id == d.PolicyId)) }).ToListAsync(ct);
        return [.. newest.Select(p => (Row: p, Document: PolicyDocument.Parse(p.Yaml))).Select(p => new PolicyRow(p.Row.Name, p.Row.Number, p.Document.Description, p.Document.Rules.Count, p.Row.Decisions, p.Row.CreatedBy, p.Row.CreatedAt))];
    }

    public async Task<PolicyDetail> GetAsync(string name, int? number = null, CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var numbers = await db.GatePolicies.Where(p => p.Name == name).OrderByDescending(p => p.Number).Select(p => p.Number).ToListAsync(ct);
        var wanted = number ?? numbers.FirstOrDefault();
        var policy = await db.GatePolicies.AsNoTracking().SingleOrDefaultAsync(p => p.Name == name && p.Number == wanted, ct)
            ?? throw LlmOpsException.NotFound("Gate policy", number is null ? name : $"{name}/{number}");
        var decisions = await (from d in db.GateDecisions.AsNoTracking()
                               join v in db.ModelVersions.AsNoTracking() on d.VersionId equals v.Id
                               where d.PolicyId == policy.Id
                               orderby d.At descending, d.Id
                               select new { d.Id, Model = v.Model!.Name, v.Number, d.VariantName, d.Verdict, d.Look, d.ReasonsJson, d.At }).Take(MostDecisions).ToListAsync(ct);
        return new(policy.Id, policy.Name, policy.Number, policy.Yaml, policy.Digest, policy.CreatedBy, policy.CreatedAt, PolicyDocument.Parse(policy.Yaml), numbers,
            [.. decisions.Select(d => new PolicyDecision(d.Id, d.Model, d.Number, d.VariantName, d.Verdict, d.Look, new GateOutcome(d.VariantName, d.Verdict, Json.Read<List<RuleResult>>(d.ReasonsJson)).Words, d.At))]);
    }

    /// <summary>"name/number", or a name for its newest version.</summary>
    public Task<PolicyDetail> GetByKeyAsync(string key, CancellationToken ct = default)
    {
        if (!key.Contains('/', StringComparison.Ordinal))
            return GetAsync(key, null, ct);
        var parsed = VersionKey.Parse(key);
        return GetAsync(parsed.Name, parsed.Number, ct);
    }
}
