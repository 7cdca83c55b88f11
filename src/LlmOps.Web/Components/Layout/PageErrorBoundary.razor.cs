using System.Diagnostics;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Layout;

/// <summary>Shows what happened, never a stack trace; the log has the trace under the same request id.</summary>
public sealed partial class PageErrorBoundary
{
    [Inject] private ILogger<PageErrorBoundary> Log { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    private string? RequestId { get; set; }

    protected override Task OnErrorAsync(Exception exception)
    {
        RequestId = Activity.Current?.TraceId.ToString() ?? ActivityTraceId.CreateRandom().ToString();
        Log.LogError(exception, "Page {Address} failed, request id {RequestId}", Navigation.ToBaseRelativePath(Navigation.Uri), RequestId);
        return Task.CompletedTask;
    }

    private Task RetryAsync()
    {
        Recover();
        return Task.CompletedTask;
    }
}
