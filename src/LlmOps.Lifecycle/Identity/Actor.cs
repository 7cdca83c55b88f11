namespace LlmOps.Lifecycle.Identity;

public enum Permission
{
    Read,
    Annotate,
    WriteDatasets,
    RunPipelines,
    WriteModels,
    Approve,
    Deploy,
    Chat,
    Administer,
}

/// <summary>The four roles. What each may do is this one table; pages, API and CLI only ask it.</summary>
public static class Roles
{
    public const string Viewer = "Viewer";
    public const string Engineer = "Engineer";
    public const string ReleaseManager = "ReleaseManager";
    public const string Admin = "Admin";

    public static IReadOnlyList<string> All { get; } = [Viewer, Engineer, ReleaseManager, Admin];

    public static IReadOnlySet<Permission> PermissionsOf(string role) => role switch
    {
        Viewer => new HashSet<Permission> { Permission.Read },
        Engineer => new HashSet<Permission>
        {
            Permission.Read, Permission.Annotate, Permission.WriteDatasets, Permission.RunPipelines, Permission.WriteModels, Permission.Chat,
        },
        ReleaseManager => new HashSet<Permission> { Permission.Read, Permission.Annotate, Permission.Approve, Permission.Deploy, Permission.Chat },
        Admin => Enum.GetValues<Permission>().ToHashSet(),
        _ => new HashSet<Permission>(),
    };
}

/// <summary>The acting person or program. Always a parameter, never ambient.</summary>
public sealed record Actor(Guid Id, string Name, IReadOnlySet<Permission> Permissions)
{
    /// <summary>The product itself: schedules and sweeps act as this. It can run things, never approve them.</summary>
    public static Actor System { get; } = new(Guid.Empty, "system",
        new HashSet<Permission> { Permission.Read, Permission.RunPipelines, Permission.WriteModels, Permission.WriteDatasets, Permission.Deploy });

    public static Actor WithRoles(Guid id, string name, IEnumerable<string> roles) =>
        new(id, name, roles.SelectMany(Roles.PermissionsOf).ToHashSet());

    public bool May(Permission permission) => Permissions.Contains(permission);

    public void Require(Permission permission)
    {
        if (!May(permission))
            throw new LlmOpsException(ErrorCode.PermissionDenied,
                $"{Name} may not do this: it needs the permission {permission}. An administrator can give a role that has it under Settings.");
    }
}
