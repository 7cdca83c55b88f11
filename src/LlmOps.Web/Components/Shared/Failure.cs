using System.Diagnostics;
using LlmOps.Lifecycle;

namespace LlmOps.Web.Components.Shared;

/// <summary>The one translation of exceptions to words on a page.</summary>
public static class Failure
{
    /// <summary>A refusal is written for the reader and shown as it is; anything else is logged under an id and only the id is shown.</summary>
    public static string Text(Exception exception, ILogger log)
    {
        if (IsRefusal(exception)) return exception.Message;
        var id = Activity.Current?.TraceId.ToString() ?? ActivityTraceId.CreateRandom().ToString();
        log.LogError(exception, "An action on a page failed, request id {RequestId}", id);
        return $"This did not work, for a reason this page does not know. Try again; if it comes back, give the request id {id[..8]} to whoever runs this server.";
    }

    private static bool IsRefusal(Exception exception) => exception is LlmOpsException or ArgumentException or InvalidDataException;
}
