using System.Security.Claims;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api.V1;

public sealed record PolicyRequest(string Yaml);

/// <param name="Policy">"name/number", or a name for its newest version.</param>
/// <param name="Champion">An alias, or name/number:variant.</param>
public sealed record GateRequest(string Version, string Suite, string Policy, string Champion = "production", string? Variant = null);

public sealed record PolicyProblems(IReadOnlyList<string> Problems);

/// <param name="Words">The verdict as a sentence.</param>
public sealed record GateVerdict(string Variant, Verdict Verdict, string Words, int Look, int Looks, double Alpha, int? MoreRows, IReadOnlyList<RuleResult> Reasons, Guid RunId, Guid? ChampionRunId)
{
    public static GateVerdict Of(JudgedVariant judged) => new(judged.Candidate.VariantName, judged.Outcome.Verdict, judged.Outcome.Words, judged.Outcome.Look, judged.Outcome.Looks, judged.Outcome.Alpha,
        judged.Outcome.MoreRows, judged.Outcome.Reasons, judged.Run.Id, judged.ChampionRun?.Id);
}

public static class GatesApi
{
    public static void MapGates(this IEndpointRouteBuilder v1)
    {
        var policies = v1.MapGroup("/gate-policies").WithTags("Gates");
        policies.MapGet("", (ReadPolicies read, CancellationToken ct) => read.ListAsync(ct)).WithSummary("Gate policies, each with its newest version.");
        policies.MapGet("/{name}", (string name, int? number, ReadPolicies read, CancellationToken ct) => read.GetAsync(name, number, ct)).WithSummary("One policy with its rules and the newest decisions made by it.");
        policies.MapPost("", async (PolicyRequest body, SavePolicy save, ClaimsPrincipal user, CancellationToken ct) =>
        {
            var saved = await save.SaveAsync(body.Yaml, user.ToActor(), ct);
            return Results.Created($"/api/v1/gate-policies/{saved.Name}?number={saved.Number}", new { saved.Name, saved.Number, saved.Digest });
        }).RequireMoreThanRead().WithSummary("Saves a policy, for engineers and release managers; other text under the same name is its next version.");
        policies.MapPost("/check", (PolicyRequest body) => new PolicyProblems(PolicyDocument.Problems(body.Yaml))).RequireMoreThanRead().WithSummary("What is wrong with a policy, each with its line; empty when nothing is.");

        v1.MapPost("/gate", async (GateRequest body, JudgeVersion judge, ClaimsPrincipal user, CancellationToken ct) =>
        {
            var answer = await judge.DecideAsync(new(body.Version, body.Suite, body.Champion, body.Policy, null, body.Variant), user.ToActor(), ct);
            return answer.Variants.Select(GateVerdict.Of).ToList();
        }).RequirePermission(Permission.RunPipelines).WithTags("Gates").WithSummary("Judges the newest evaluation of each variant of a version by a policy, and keeps the decisions.");
        v1.MapGet("/gate/plan", (string suite, int? rows, string? policy, double? margin, double? power, PlanEvaluation plan, CancellationToken ct) =>
            plan.PlanAsync(new(suite, rows, policy ?? "", margin, power ?? 0.8), ct)).WithTags("Gates").WithSummary("What an evaluation of so many rows would be able to show, before it is run.");
    }
}
