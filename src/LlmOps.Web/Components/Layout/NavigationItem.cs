using static MudBlazor.Icons.Material;

namespace LlmOps.Web.Components.Layout;

/// <summary>One place of the left rail. <paramref name="Chord"/> is the key that follows <c>g</c>.</summary>
public sealed record NavigationItem(string Title, string Href, string Icon, char Chord)
{
    /// <summary>Other addresses that belong to it.</summary>
    public IReadOnlyList<string> Also { get; init; } = [];

    /// <summary>Whether the path is one of the other addresses or lies under one.</summary>
    public bool Covers(string path)
    {
        var end = path.IndexOfAny(['?', '#']);
        var bare = end < 0 ? path : path[..end];
        return Also.Any(a => bare.Equals(a, StringComparison.OrdinalIgnoreCase) || bare.StartsWith(a + "/", StringComparison.OrdinalIgnoreCase));
    }

    public static IReadOnlyList<NavigationItem> Work { get; } =
    [
        new("Home", "/", Outlined.Home, 'h'),
        new("Models", "/models", Outlined.ViewInAr, 'm') { Also = ["/plan"] },
        new("Datasets", "/datasets", Outlined.TableRows, 'd'),
        new("Experiments", "/experiments", Outlined.Science, 'e') { Also = ["/runs"] },
        new("Sweeps", "/sweeps", Outlined.Tune, 'x'),
        new("Pipelines", "/pipelines", Outlined.AccountTree, 'p') { Also = ["/pipeline-runs"] },
        new("Evaluations", "/evaluations", Outlined.FactCheck, 'v') { Also = ["/suites", "/gates", "/judges"] },
        new("Deployments", "/deployments", Outlined.RocketLaunch, 'y'),
        new("Knowledge", "/knowledge", Outlined.MenuBook, 'k'),
        new("Traces", "/traces", Outlined.Timeline, 't'),
    ];

    public static NavigationItem Approvals { get; } = new("Approvals", "/approvals", Outlined.HowToReg, 'a');

    public static IReadOnlyList<NavigationItem> Operation { get; } =
    [
        Approvals,
        new("Workers", "/workers", Outlined.Memory, 'w'),
        new("Schedules", "/schedules", Outlined.Schedule, 's') { Also = ["/incidents"] },
        new("Audit", "/audit", Outlined.History, 'u'),
        new("Settings", "/settings", Outlined.Settings, ','),
    ];

    public static IEnumerable<NavigationItem> All => Work.Concat(Operation);
}
