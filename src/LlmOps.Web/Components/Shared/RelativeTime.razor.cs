using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>How long ago, the exact time on hover. The browser keeps the words true, without traffic.</summary>
public sealed partial class RelativeTime
{
    private DateTimeOffset at;

    [Inject] private TimeProvider Clock { get; set; } = null!;

    /// <summary>Unix milliseconds, as the database and the wire have it.</summary>
    [Parameter, EditorRequired] public long Ms { get; set; }

    protected override void OnParametersSet() => at = DateTimeOffset.FromUnixTimeMilliseconds(Ms);
}
