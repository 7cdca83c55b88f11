using static MudBlazor.Icons.Material;

namespace LlmOps.Web.Components.Layout;

/// <summary>One place of the left rail. <paramref name="Chord"/> is the key that follows <c>g</c>.</summary>
public sealed record NavigationItem(string Title, string Href, string Icon, char Chord)
{
    public static IReadOnlyList<NavigationItem> Work { get; } =
    [
        new("Home", "/", Outlined.Home, 'h'),
        new("Models", "/models", Outlined.ViewInAr, 'm'),
        new("Datasets", "/datasets", Outlined.TableRows, 'd'),
        new("Experiments", "/experiments", Outlined.Science, 'e'),
        new("Pipelines", "/pipelines", Outlined.AccountTree, 'p'),
        new("Evaluations", "/evaluations", Outlined.FactCheck, 'v'),
        new("Deployments", "/deployments", Outlined.RocketLaunch, 'y'),
        new("Knowledge", "/knowledge", Outlined.MenuBook, 'k'),
        new("Traces", "/traces", Outlined.Timeline, 't'),
    ];

    public static NavigationItem Approvals { get; } = new("Approvals", "/approvals", Outlined.HowToReg, 'a');

    public static IReadOnlyList<NavigationItem> Operation { get; } =
    [
        Approvals,
        new("Workers", "/workers", Outlined.Memory, 'w'),
        new("Schedules", "/schedules", Outlined.Schedule, 's'),
        new("Audit", "/audit", Outlined.History, 'u'),
        new("Settings", "/settings", Outlined.Settings, ','),
    ];

    public static IEnumerable<NavigationItem> All => Work.Concat(Operation);
}
