using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using LlmOps.Lifecycle.Evaluation.Judges;

namespace LlmOps.Worker.Judging;

/// <summary>An endpoint that speaks OpenAI's chat completions. Failures that pass (429, 5xx, no connection, no answer in time) are tried again; the key stands in no message.</summary>
public sealed class EndpointJudge : IJudge
{
    private const int MostBytes = 1 << 20;
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(60);
    private readonly HttpClient client;
    private readonly string? secret;
    private readonly TimeSpan pause;

    /// <param name="pause">Before the first repetition, doubled for each further one, where the endpoint names no time itself.</param>
    public EndpointJudge(string key, JudgeDocument document, string? secret, TimeSpan? pause = null)
    {
        (Key, Document, this.secret, this.pause) = (key, document, secret, pause ?? TimeSpan.FromMilliseconds(500));
        // Not followed elsewhere: the key is for this address only.
        client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
        {
            Timeout = TimeSpan.FromSeconds(document.TimeoutSeconds), MaxResponseContentBufferSize = MostBytes,
        };
        if (secret is not null)
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", secret);
    }

    public string Key { get; }
    public JudgeDocument Document { get; }

    public async Task<JudgeAnswer> AskAsync(string prompt, int seed, CancellationToken ct)
    {
        for (var attempt = 0; ; attempt++)
        {
            var (answer, failure, passes, after) = await TryAsync(prompt, seed, ct);
            if (answer is not null)
                return answer;
            if (!passes || attempt >= Document.Retries)
                throw new JudgeFailedException($"The judge {Key} at {Document.Endpoint} {failure}{(attempt > 0 ? $" Asked {attempt + 1} times." : "")}");
            var wait = after ?? pause * Math.Pow(2, attempt);
            await Task.Delay(wait < LongestPause ? wait : LongestPause, ct);
        }
    }

    private async Task<(JudgeAnswer? Answer, string Failure, bool Passes, TimeSpan? After)> TryAsync(string prompt, int seed, CancellationToken ct)
    {
        try
        {
            using var content = JsonContent.Create(new
            {
                model = Document.Model, messages = new[] { new { role = "user", content = prompt } }, temperature = Document.Temperature, max_tokens = Document.MaxTokens, seed, stream = false,
            });
            using var reply = await client.PostAsync($"{Document.Endpoint}/chat/completions", content, ct);
            // JSON is UTF-8, whatever name the header gives it; an unknown name would otherwise end the run.
            var text = Encoding.UTF8.GetString(await reply.Content.ReadAsByteArrayAsync(ct));
            if (!reply.IsSuccessStatusCode)
            {
                var after = reply.Headers.RetryAfter is { } retry ? retry.Delta ?? (retry.Date - DateTimeOffset.UtcNow) : null;
                var passes = reply.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout || (int)reply.StatusCode >= 500;
                return (null, $"answered {(int)reply.StatusCode}: {Shown(text)}", passes, after > TimeSpan.Zero ? after : null);
            }
            return Read(text) is { } answer ? (answer, "", false, null) : (null, $"sent no chat completion: {Shown(text)}", true, null);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return (null, $"did not answer within {Document.TimeoutSeconds} s.", true, null);
        }
        catch (HttpRequestException e)
        {
            return (null, $"cannot be reached or broke off: {Shown(e.Message)}", true, null);
        }
    }

    private JudgeAnswer? Read(string json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            if (root.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString() is not { } text)
                return null;
            int Tokens(string name) => root.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object && usage.TryGetProperty(name, out var count) && count.TryGetInt32(out var n) ? n : 0;
            return new(Clean(text), Tokens("prompt_tokens"), Tokens("completion_tokens"));
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or IndexOutOfRangeException)
        {
            return null;
        }
    }

    /// <summary>Some servers repeat the request's headers in their errors.</summary>
    private string Shown(string text) => Clean(text).Trim() is { Length: > 0 } said ? said.Length > 300 ? said[..300] + "…" : said : "nothing.";

    /// <summary>Replies are stored with the rows.</summary>
    private string Clean(string text) => secret is { Length: > 0 } ? text.Replace(secret, "(key)", StringComparison.Ordinal) : text;

    public void Dispose() => client.Dispose();
}
