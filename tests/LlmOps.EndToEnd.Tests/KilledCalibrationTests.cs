using System.Collections.Concurrent;
using System.Text.Json;
using LlmOps.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace LlmOps.EndToEnd.Tests;

/// <summary>`llmops judge` as a person uses it, and a calibration whose process is killed while verdicts come in.</summary>
public sealed class KilledCalibrationTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    [Fact]
    public async Task VerdictsThatWereGiven_AreNotAskedForAgain()
    {
        var ct = TestContext.Current.CancellationToken;
        using var data = new TemporaryFolder();
        var asked = new ConcurrentQueue<string>();
        await using var endpoint = await StartAsync(asked);
        var judge = Path.Combine(data.Path, "judge.yaml");
        await File.WriteAllTextAsync(judge, $"name: critic\nkind: openai\nendpoint: {endpoint.Urls.Single()}/v1\nmodel: any\nmode: score\ncriteria: it is an answer\nconcurrency: 2\n", ct);
        var rows = Path.Combine(data.Path, "rows.jsonl");
        await File.WriteAllTextAsync(rows, TestProduct.PreferenceRows(1500), ct);
        await RunAsync("import", rows, "--name", "labels", "--kind", "Preference", "--data-folder", data.Path);
        Assert.Contains("critic/1", await RunAsync("judge", "save", judge, "--data-folder", data.Path), StringComparison.Ordinal);
        Assert.Contains("not calibrated", await RunAsync("judge", "list", "--data-folder", data.Path), StringComparison.Ordinal);

        string[] calibrate = ["judge", "calibrate", "critic/1", "--preferences", "labels/1", "--max-rows", "60", "--data-folder", data.Path];
        await using (var first = Start(calibrate))
        {
            await first.UntilAsync(() => Task.FromResult(asked.Count >= 40), Patience);
            await first.KillAsync();
        }
        var before = asked.Count;
        Assert.InRange(before, 40, 115);
        var printed = await RunAsync(calibrate);
        Assert.Contains("kappa 1.00", printed, StringComparison.Ordinal);
        // Those that were under way when it was killed came back to nobody.
        Assert.InRange(asked.Count, 120, 120 + 4);
        Assert.Equal(120, asked.Distinct().Count());
        var listed = JsonDocument.Parse(await RunAsync("judge", "list", "--json", "--data-folder", data.Path)).RootElement[0];
        Assert.Equal((120, 0), (listed.GetProperty("calibration").GetProperty("report").GetProperty("rows").GetInt32(), listed.GetProperty("calibration").GetProperty("report").GetProperty("missing").GetInt32()));
    }

    /// <summary>Takes its time, so that the kill falls between verdicts; agrees with people always.</summary>
    private static async Task<WebApplication> StartAsync(ConcurrentQueue<string> asked)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.MapPost("/v1/chat/completions", async context =>
        {
            using var body = await JsonDocument.ParseAsync(context.Request.Body);
            var prompt = body.RootElement.GetProperty("messages")[0].GetProperty("content").GetString()!;
            asked.Enqueue(prompt);
            await Task.Delay(100, context.RequestAborted);
            var content = prompt.Contains("A living thing.", StringComparison.Ordinal) ? """{"score": 5}""" : """{"score": 1}""";
            await context.Response.WriteAsJsonAsync(new { choices = new[] { new { message = new { content } } } });
        });
        await app.StartAsync();
        return app;
    }

    private static ProductProcess Start(params string[] arguments) => ProductProcess.Start(Repository.Built("LlmOps.Cli", "llmops.dll"), arguments, new Dictionary<string, string> { ["Worker__PollMs"] = "100" });

    private static async Task<string> RunAsync(params string[] arguments)
    {
        await using var process = Start(arguments);
        Assert.True(await process.ExitCodeAsync(Patience) == 0, process.Output);
        return process.Output;
    }
}
