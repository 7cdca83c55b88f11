using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Registry;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>A place that a model goes through, and what it takes to get there. Its name is the alias.</summary>
/// <param name="RequiredApprovals">How many different people must sign.</param>
/// <param name="Roles">Who may sign: any one of these.</param>
/// <param name="MinimumVerdict">The gate's verdict that a request needs: Pass, CannotTell (anything but Fail), or null for no demand.</param>
public sealed record ModelEnvironment(string Alias, int RequiredApprovals, IReadOnlyList<string> Roles, Verdict? MinimumVerdict)
{
    public const int MostApprovals = 10;

    /// <summary>Roles that can sign at all.</summary>
    public static IReadOnlyList<string> SigningRoles { get; } = [.. Identity.Roles.All.Where(r => Identity.Roles.PermissionsOf(r).Contains(Permission.Approve))];

    public static IReadOnlyList<ModelEnvironment> Default { get; } = [.. new[] { "candidate", "staging", "production" }.Select(Plain)];

    /// <summary>One approval by anybody who may decide, whatever the gate said.</summary>
    public static ModelEnvironment Plain(string alias) => new(alias, 1, SigningRoles, null);

    public static IReadOnlyList<ModelEnvironment> Of(RegisteredModel model) =>
        model.EnvironmentsJson is null ? Default : Json.Read<List<ModelEnvironment>>(model.EnvironmentsJson);

    /// <summary>An alias that is no environment of the model has the plain rules.</summary>
    public static ModelEnvironment For(RegisteredModel model, string alias) => Of(model).FirstOrDefault(e => e.Alias == alias) ?? Plain(alias);

    /// <summary>Why the gate's verdict is not enough, or null when it is.</summary>
    public string? Shortfall(Verdict? verdict) => (MinimumVerdict, verdict) switch
    {
        (null, _) or (_, Verdict.Pass) or (Verdict.CannotTell, Verdict.CannotTell) => null,
        (_, null) => $"'{Alias}' takes only what a gate judged {MinimumVerdict}, and no gate judged this variant. Run the gate first, or ask for an override with a reason.",
        _ => $"'{Alias}' takes only what a gate judged {MinimumVerdict}; this variant was judged {verdict}. Ask for an override if it cannot wait.",
    };

    public static void EnsureValid(IReadOnlyList<ModelEnvironment> environments)
    {
        if (Problems(environments) is [var first, ..])
            throw LlmOpsException.Invalid(first.Text);
    }

    /// <summary>What is wrong, each at the row and field it belongs to, so that a form can say it there; empty when nothing is.</summary>
    public static IReadOnlyList<EnvironmentProblem> Problems(IReadOnlyList<ModelEnvironment> environments)
    {
        var found = new List<EnvironmentProblem>();
        if (environments.Count is 0 or > 20)
            found.Add(new(null, null, $"A model has 1 to 20 environments; these are {environments.Count}."));
        foreach (var (row, e) in environments.Index())
        {
            if (AliasName.Problem(e.Alias) is { } name)
                found.Add(new(row, nameof(Alias), name));
            else if (environments.Take(row).Any(other => other.Alias == e.Alias))
                found.Add(new(row, nameof(Alias), $"The environment '{e.Alias}' is there twice. Remove one of them."));
            if (e.RequiredApprovals is < 1 or > MostApprovals)
                found.Add(new(row, nameof(RequiredApprovals), $"'{e.Alias}' asks for {e.RequiredApprovals} approvals. Between 1 and {MostApprovals} are possible."));
            if (e.Roles.Count == 0 || e.Roles.Any(r => !SigningRoles.Contains(r)))
                found.Add(new(row, nameof(Roles), $"'{e.Alias}' names the roles [{string.Join(", ", e.Roles)}]. Name one or more of {string.Join(", ", SigningRoles)}: others may not decide."));
            if (e.MinimumVerdict == Verdict.Fail)
                found.Add(new(row, nameof(MinimumVerdict), $"'{e.Alias}' demands the verdict Fail. Demand Pass or CannotTell, or nothing."));
        }
        return found;
    }
}

/// <param name="Row">Index of the environment; null for the list itself.</param>
/// <param name="Field">Name of the property; null for the list itself.</param>
public sealed record EnvironmentProblem(int? Row, string? Field, string Text);
