using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace LlmOps.Web.Tests.Suites;

/// <summary>What reached the endpoint.</summary>
public sealed record JudgeCall(string Prompt, double Temperature, int Seed, string? Authorization, int Number)
{
    /// <summary>Between two headings of the default prompt.</summary>
    public string Part(string heading)
    {
        var from = Prompt.IndexOf(heading + ":\n", StringComparison.Ordinal) + heading.Length + 2;
        return Prompt[from..Prompt.IndexOf("\n\n", from, StringComparison.Ordinal)];
    }
}

/// <summary>A real HTTP server on a free port of this machine that speaks OpenAI's chat completions and judges as a test says.</summary>
public sealed class JudgeEndpoint : IAsyncDisposable
{
    private readonly WebApplication app;

    private JudgeEndpoint(WebApplication app) => this.app = app;

    public ConcurrentQueue<JudgeCall> Calls { get; } = new();
    public string Address => app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single() + "/v1";

    /// <param name="reply">What the judge says.</param>
    public static Task<JudgeEndpoint> StartAsync(Func<JudgeCall, string> reply) => StartAsync((call, context) => context.Response.WriteAsJsonAsync(new
    {
        choices = new[] { new { message = new { role = "assistant", content = reply(call) } } }, usage = new { prompt_tokens = 100, completion_tokens = 10 },
    }));

    /// <param name="answer">The whole response.</param>
    public static async Task<JudgeEndpoint> StartAsync(Func<JudgeCall, HttpContext, Task> answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var endpoint = new JudgeEndpoint(app);
        var number = 0;
        app.MapPost("/v1/chat/completions", async context =>
        {
            using var body = await JsonDocument.ParseAsync(context.Request.Body);
            var root = body.RootElement;
            var call = new JudgeCall(root.GetProperty("messages")[0].GetProperty("content").GetString()!, root.GetProperty("temperature").GetDouble(), root.GetProperty("seed").GetInt32(),
                context.Request.Headers.Authorization, Interlocked.Increment(ref number));
            endpoint.Calls.Enqueue(call);
            await answer(call, context);
        });
        await app.StartAsync();
        return endpoint;
    }

    public ValueTask DisposeAsync() => app.DisposeAsync();
}
