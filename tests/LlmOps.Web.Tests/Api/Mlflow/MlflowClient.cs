using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Identity;

namespace LlmOps.Web.Tests.Api.Mlflow;

/// <summary>Calls the API as its clients do: token as the password, JSON in and out, 200 and an object or an error.</summary>
internal sealed class MlflowClient(HttpClient http, string prefix = "/api/2.0") : IDisposable
{
    public HttpClient Http => http;

    public static async Task<MlflowClient> EngineerAsync(WebProduct product, string prefix = "/api/2.0") => new(await product.ProgramAsync(Roles.Engineer), prefix);

    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? body = null, string type = "application/json")
    {
        using var request = new HttpRequestMessage(method, new Uri(path.StartsWith("/api", StringComparison.Ordinal) || path.StartsWith("/ajax", StringComparison.Ordinal) ? path : prefix + path, UriKind.Relative));
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, MediaTypeHeaderValue.Parse(type));
        return await http.SendAsync(request);
    }

    /// <summary>The object of a success; anything else fails the test with what was answered.</summary>
    public async Task<JsonObject> CallAsync(string method, string path, object? body = null)
    {
        using var answer = await SendAsync(new HttpMethod(method), path, body is null ? null : body as string ?? JsonSerializer.Serialize(body));
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.OK, $"{method} {path}: {(int)answer.StatusCode} {text}");
        return Assert.IsType<JsonObject>(JsonNode.Parse(text));
    }

    public Task<JsonObject> PostAsync(string path, object body) => CallAsync("POST", path, body);

    public Task<JsonObject> GetAsync(string path) => CallAsync("GET", path);

    public async Task<string> RefusedAsync(HttpStatusCode status, string code, string method, string path, object? body = null, string type = "application/json")
    {
        using var answer = await SendAsync(new HttpMethod(method), path, body is null ? null : body as string ?? JsonSerializer.Serialize(body), type);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == status && text.Contains($"\"error_code\":\"{code}\"", StringComparison.Ordinal), $"{method} {path}: expected {(int)status} {code}, got {(int)answer.StatusCode} {text}");
        return (string)JsonNode.Parse(text)!["message"]!;
    }

    public async Task<string> ExperimentAsync() => (string)(await PostAsync("/mlflow/experiments/create", new { name = $"e{Guid.NewGuid():N}" }))["experiment_id"]!;

    public async Task<string> RunAsync(string? experiment = null) =>
        (string)(await PostAsync("/mlflow/runs/create", new { experiment_id = experiment ?? await ExperimentAsync(), run_name = "one", start_time = 1_700_000_000_000, user_id = "alice" }))["run"]!["info"]!["run_id"]!;

    public void Dispose() => http.Dispose();
}
