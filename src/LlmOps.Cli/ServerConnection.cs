using System.CommandLine;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;

namespace LlmOps.Cli;

/// <summary>A server and the token to use there.</summary>
internal sealed class ServerConnection : IDisposable
{
    private readonly HttpClient client;

    public ServerConnection(string server, string token)
    {
        Server = Normalised(server);
        client = new HttpClient { BaseAddress = new Uri(Server + "/api/v1/"), DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) }, Timeout = Timeout.InfiniteTimeSpan };
    }

    public string Server { get; }

    /// <summary>The server of the command line, of LLMOPS_URL, of the last sign-in; the token of LLMOPS_TOKEN, or of the sign-in there.</summary>
    public static ServerConnection Open(ParseResult parsed) => Open(parsed.GetValue(ServerCommands.Server)!);

    /// <summary>This server, with the token of LLMOPS_TOKEN or of the sign-in there.</summary>
    public static ServerConnection Open(string address)
    {
        var server = Normalised(address);
        var token = Environment.GetEnvironmentVariable("LLMOPS_TOKEN") is { Length: > 0 } given ? given : SignIns.Read().Tokens.GetValueOrDefault(server);
        return new(server, token ?? throw LlmOpsException.Invalid($"Nobody is signed in to {server}: run 'llmops login {server}', or export LLMOPS_TOKEN with an API token from Settings."));
    }

    public static string Normalised(string server) => Uri.TryCreate(server.TrimEnd('/'), UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
        ? address.ToString().TrimEnd('/')
        : throw LlmOpsException.Invalid($"'{server}' is no address. Write it as http://localhost:5080, with --server or in LLMOPS_URL.");

    public Task<JsonElement> GetAsync(string path, CancellationToken ct) => SendAsync(HttpMethod.Get, path, null, ct);

    /// <summary>The answer's JSON; of kind Undefined when there is none. What the server refuses is thrown in its own words.</summary>
    /// <param name="body">Sent as JSON, unless it is content already.</param>
    public async Task<JsonElement> SendAsync(HttpMethod method, string path, object? body, CancellationToken ct)
    {
        using var answer = await AnswerAsync(method, path, body as HttpContent ?? (body is null ? null : JsonContent.Create(body, options: Json.Options)), ct);
        var text = await answer.Content.ReadAsStringAsync(ct);
        if (!answer.IsSuccessStatusCode)
            throw Refused(answer, text);
        return text.Length == 0 ? default : JsonSerializer.Deserialize<JsonElement>(text);
    }

    /// <summary>A file's bytes as they come.</summary>
    public async Task<Stream> DownloadAsync(string path, CancellationToken ct)
    {
        var answer = await AnswerAsync(HttpMethod.Get, path, null, ct);
        if (!answer.IsSuccessStatusCode)
            using (answer)
                throw Refused(answer, await answer.Content.ReadAsStringAsync(ct));
        return await answer.Content.ReadAsStreamAsync(ct);
    }

    /// <summary>The answer as it is, with refusals.</summary>
    public async Task<HttpResponseMessage> AnswerAsync(HttpMethod method, string path, HttpContent? content, CancellationToken ct)
    {
        using var request = new HttpRequestMessage(method, path.TrimStart('/')) { Content = content };
        try
        {
            return await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        }
        catch (HttpRequestException e)
        {
            throw new LlmOpsException(ErrorCode.TemporarilyUnavailable, $"{Server} does not answer: {e.Message}. Is the server running there?", e);
        }
    }

    public void Dispose() => client.Dispose();

    private LlmOpsException Refused(HttpResponseMessage answer, string text)
    {
        try
        {
            var error = JsonSerializer.Deserialize<JsonElement>(text);
            var name = error.GetProperty("error_code").GetString();
            return new(Enum.GetValues<ErrorCode>().First(c => c.WireName() == name), error.GetProperty("message").GetString()!);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            return new(ErrorCode.InternalError, $"{Server} answered with status {(int)answer.StatusCode}{(text.Length is > 0 and < 500 ? ": " + text : "")}. Is it an LlmOps server?");
        }
    }
}
