using LlmOps.Lifecycle.Tracing;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Traces;

/// <summary>One conversation, read across its traces.</summary>
public sealed partial class SessionPage
{
    private SessionDetail? session;

    [Inject] private ReadSessions Sessions { get; set; } = null!;

    /// <summary>In the query: clients choose these ids, and some have slashes.</summary>
    [SupplyParameterFromQuery] public string? Id { get; set; }

    public static string Href(string id) => $"/sessions/one?id={Uri.EscapeDataString(id)}";

    protected override async Task OnParametersSetAsync()
    {
        if (session?.Row.Id != Id) await ReadAsync();
    }

    private async Task ReadAsync() => session = await Sessions.GetAsync(Id ?? "");
}
