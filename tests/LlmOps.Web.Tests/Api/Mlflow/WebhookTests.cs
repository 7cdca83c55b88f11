using System.Net;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Webhooks;
using LlmOps.TestKit;

namespace LlmOps.Web.Tests.Api.Mlflow;

public sealed class WebhookTests(WebProduct product)
{
    private async Task<MlflowClient> AdminAsync() => new(await product.ProgramAsync(Roles.Admin));

    [Fact]
    public async Task Webhook_IsMadeReadChangedTestedAndDeleted_AndItsSecretIsNeverReturned()
    {
        using var receiver = new WebhookReceiver { Answer = "seen" };
        using var client = await AdminAsync();
        var name = $"w{Guid.NewGuid():N}";
        var made = (await client.PostAsync("/mlflow/webhooks", new { name, description = "for CI", url = receiver.Address, secret = "plain text", events = new[] { new { entity = "MODEL_VERSION_ALIAS", action = "CREATED" }, new { entity = "MODEL_VERSION", action = "CREATED" } } }))["webhook"]!;
        var id = (string)made["webhook_id"]!;
        Assert.Equal((name, "for CI", receiver.Address, "ACTIVE"), ((string)made["name"]!, (string)made["description"]!, (string)made["url"]!, (string)made["status"]!));
        Assert.Equal("""[{"entity":"MODEL_VERSION","action":"CREATED"},{"entity":"MODEL_VERSION_ALIAS","action":"CREATED"}]""", made["events"]!.ToJsonString());
        Assert.Contains((await client.GetAsync("/mlflow/webhooks?max_results=1000"))["webhooks"]!.AsArray(), w => (string)w!["webhook_id"]! == id);
        Assert.DoesNotContain("plain text", (await client.GetAsync($"/mlflow/webhooks/{id}")).ToJsonString(), StringComparison.Ordinal);

        var tested = (await client.PostAsync($"/mlflow/webhooks/{id}/test", new { @event = new { entity = "MODEL_VERSION_ALIAS", action = "CREATED" } }))["result"]!;
        Assert.Equal((true, 200, "seen"), ((bool)tested["success"]!, (int)tested["response_status"]!, (string)tested["response_body"]!));
        // what other tests do meanwhile is told to it as well
        var call = receiver.Calls.Single(c => c.Text.Contains("example_alias", StringComparison.Ordinal));
        var body = JsonNode.Parse(call.Text)!;
        Assert.Equal(("model_version_alias", "created", "1"), ((string)body["entity"]!, (string)body["action"]!, (string)body["data"]!["version"]!));
        Assert.Equal(WebhookSignature.Mlflow("plain text", call.Headers["X-MLflow-Delivery-Id"], call.Headers["X-MLflow-Timestamp"], call.Body), call.Headers["X-MLflow-Signature"]);
        Assert.False(call.Headers.ContainsKey("webhook-signature"));

        var changed = (await client.CallAsync("PATCH", $"/mlflow/webhooks/{id}", new { status = "DISABLED", secret = "another", events = new[] { new { entity = "REGISTERED_MODEL", action = "CREATED" } } }))["webhook"]!;
        Assert.Equal(("DISABLED", name), ((string)changed["status"]!, (string)changed["name"]!));
        await client.RefusedAsync(HttpStatusCode.Conflict, "RESOURCE_CONFLICT", "POST", $"/mlflow/webhooks/{id}/test", new { });
        await client.CallAsync("DELETE", $"/mlflow/webhooks/{id}");
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "GET", $"/mlflow/webhooks/{id}");
    }

    [Fact]
    public async Task What_IsNoWebhook_IsRefused()
    {
        using var client = await AdminAsync();
        object Asked(string entity, string url = "https://example.org/") => new { name = "x", url, events = new[] { new { entity, action = "CREATED" } } };
        Assert.Contains("MODEL_VERSION.CREATED", await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", "/mlflow/webhooks", Asked("PROMPT")), StringComparison.Ordinal);
        await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", "/mlflow/webhooks", Asked("MODEL_VERSION", "http://10.0.0.1/"));
        await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", "/mlflow/webhooks", new { name = "x", url = "https://example.org/" });
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "GET", "/mlflow/webhooks/no-such");
        using var engineer = await MlflowClient.EngineerAsync(product);
        await engineer.RefusedAsync(HttpStatusCode.Forbidden, "PERMISSION_DENIED", "GET", "/mlflow/webhooks");
    }
}
