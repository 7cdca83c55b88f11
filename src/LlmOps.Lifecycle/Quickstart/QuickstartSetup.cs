using System.Security.Cryptography;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Quickstart;

/// <param name="SetupToken">One-time token with which the administrator chooses a password; null once there is one.</param>
/// <param name="ReleasePassword">Password of the second person, known only at the moment the account is made.</param>
public sealed record FirstPeople(Person Administrator, string? SetupToken, Person? ReleaseManager, string? ReleasePassword);

/// <summary>Makes the first accounts, and what the quickstart needs beside them: a second person and the pipeline.</summary>
public sealed class QuickstartSetup(IDbContextFactory<LlmOpsDb> dbs, ManagePeople people, StartPipeline start, ControlPipeline control)
{
    public const string AdministratorName = "admin";
    public const string ReleaseManagerName = "release";

    private static readonly Actor Installer = Actor.System with { Name = "first-start", Permissions = new HashSet<Permission> { Permission.Administer } };

    /// <summary>The administrator exists after this; without a password yet, a fresh set-up token comes with it.</summary>
    public async Task<FirstPeople> EnsureAdministratorAsync(CancellationToken ct = default)
    {
        await using var db = await dbs.CreateDbContextAsync(ct);
        var admin = await db.Users.SingleOrDefaultAsync(u => u.UserName == AdministratorName, ct)
            ?? await people.CreateAsync(AdministratorName, "Administrator", null, [Roles.Admin], Installer, ct);
        return new(admin, admin.PasswordHash is null ? await people.CreateSetupTokenAsync(admin.Id, Installer, ct) : null, null, null);
    }

    /// <summary>The quickstart's second person: whoever starts the pipeline cannot approve it.</summary>
    public async Task<FirstPeople> EnsurePeopleAsync(CancellationToken ct = default)
    {
        var first = await EnsureAdministratorAsync(ct);
        await using var db = await dbs.CreateDbContextAsync(ct);
        if (await db.Users.SingleOrDefaultAsync(u => u.UserName == ReleaseManagerName, ct) is { } there)
            return first with { ReleaseManager = there };
        var password = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8));
        var release = await people.CreateAsync(ReleaseManagerName, "Release manager", password, [Roles.ReleaseManager], Installer, ct);
        return first with { ReleaseManager = release, ReleasePassword = password };
    }

    /// <summary>
    /// Starts the pipeline, or goes on with the newest run of it that did not succeed: finished stages keep their results.
    /// </summary>
    public async Task<Guid> StartOrResumeAsync(string yaml, string folder, Actor actor, CancellationToken ct = default)
    {
        var definition = await start.DefineAsync(yaml, folder, actor, ct);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var newest = await db.PipelineRuns.AsNoTracking().Where(r => r.DefinitionId == definition.Id).OrderByDescending(r => r.Number).FirstOrDefaultAsync(ct);
        if (newest is null || newest.State == PipelineState.Succeeded || newest.Yaml != definition.Yaml)
            return (await start.StartAsync(definition.Name, actor, ct)).Id;
        if (newest.IsOver)
            await control.ResumeAsync(newest.Id, actor, ct);
        return newest.Id;
    }

    /// <summary>Starts the pipeline if no run of it exists yet: what a restarted server does.</summary>
    public async Task<Guid> EnsureStartedAsync(string yaml, string folder, Actor actor, CancellationToken ct = default)
    {
        var definition = await start.DefineAsync(yaml, folder, actor, ct);
        await using var db = await dbs.CreateDbContextAsync(ct);
        var newest = await db.PipelineRuns.Where(r => r.DefinitionId == definition.Id).OrderByDescending(r => r.Number).Select(r => (Guid?)r.Id).FirstOrDefaultAsync(ct);
        return newest ?? (await start.StartAsync(definition.Name, actor, ct)).Id;
    }
}
