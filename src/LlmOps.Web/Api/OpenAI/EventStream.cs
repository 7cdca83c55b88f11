using System.Text.Json;

namespace LlmOps.Web.Api.OpenAI;

/// <summary>Server-sent events as OpenAI writes them: data alone, each flushed at once, and a last one that says so.</summary>
public sealed class EventStream(HttpContext http)
{
    public async Task SendAsync<T>(T data)
    {
        Begin();
        await http.Response.WriteAsync($"data: {JsonSerializer.Serialize(data, OpenAIErrors.Json)}\n\n", http.RequestAborted);
        await http.Response.Body.FlushAsync(http.RequestAborted);
    }

    public async Task EndAsync()
    {
        Begin();
        await http.Response.WriteAsync("data: [DONE]\n\n", http.RequestAborted);
    }

    /// <summary>Runs what sends events. The status is sent with the first of them: from then on the stream itself has to say that it broke off.</summary>
    public async Task GuardAsync(Func<Task> send)
    {
        try
        {
            await send();
        }
        catch (Exception e) when (http.Response.HasStarted && !http.RequestAborted.IsCancellationRequested)
        {
            await SendAsync(new { error = OpenAIErrors.Translate(e).Error });
        }
    }

    private void Begin()
    {
        if (http.Response.HasStarted)
            return;
        http.Response.ContentType = "text/event-stream; charset=utf-8";
        http.Response.Headers.CacheControl = "no-cache";
        // Proxies hold small pieces back unless they are asked not to.
        http.Response.Headers["X-Accel-Buffering"] = "no";
    }
}
