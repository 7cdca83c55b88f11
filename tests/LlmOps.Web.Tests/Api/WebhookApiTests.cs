using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Webhooks;
using LlmOps.TestKit;

namespace LlmOps.Web.Tests.Api;

public sealed class WebhookApiTests(WebProduct product)
{
    private static async Task<JsonElement> PostAsync(HttpClient client, string path, object body, HttpStatusCode expected = HttpStatusCode.OK)
    {
        using var answer = await client.PostAsJsonAsync("/api/v1/webhooks" + path, body);
        Assert.True(answer.StatusCode == expected, $"{path}: {answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
        return expected == HttpStatusCode.Accepted ? default : await answer.Content.ReadFromJsonAsync<JsonElement>();
    }

    private static Task<JsonElement> UntilAsync(HttpClient client, string path, Func<JsonElement, bool> done) =>
        Eventually.ReadAsync(() => client.GetFromJsonAsync<JsonElement>("/api/v1/webhooks" + path), done, what: path);

    [Fact]
    public async Task Webhook_IsMadeToldTestedReplayedAndDeleted()
    {
        using var receiver = new WebhookReceiver { Answer = "ok" };
        using var admin = await product.ProgramAsync(Roles.Admin);
        var name = $"ci-{Guid.NewGuid():N}";
        var made = await PostAsync(admin, "", new { name, url = receiver.Address, events = new[] { "registered_model.created" } }, HttpStatusCode.Created);
        var (id, secret) = (made.GetProperty("id").GetString(), made.GetProperty("secret").GetString()!);
        Assert.StartsWith("whsec_", secret, StringComparison.Ordinal);
        Assert.DoesNotContain(secret, await admin.GetStringAsync(new Uri($"/api/v1/webhooks/{id}", UriKind.Relative)), StringComparison.Ordinal);
        await PostAsync(admin, "", new { name, url = receiver.Address, events = new[] { "*" } }, HttpStatusCode.BadRequest);

        await product.Get<RegisterModel>().CreateAsync(name, "", [], WebProduct.Admin);
        bool Mine(WebhookReceiver.Call c) => c.Text.Contains(name, StringComparison.Ordinal);
        var delivered = await UntilAsync(admin, $"/{id}/deliveries?state=delivered&text={name}", d => d.GetProperty("total").GetInt32() == 1);
        var delivery = delivered.GetProperty("rows")[0].GetProperty("id").GetString();
        var call = Assert.Single(receiver.Calls, Mine);
        Assert.Equal(WebhookSignature.Standard([secret], call.Headers["webhook-id"], call.Headers["webhook-timestamp"], call.Body), call.Headers["webhook-signature"]);
        Assert.InRange(DateTimeOffset.FromUnixTimeSeconds(long.Parse(call.Headers["webhook-timestamp"], CultureInfo.InvariantCulture)), DateTimeOffset.UtcNow.AddMinutes(-5), DateTimeOffset.UtcNow.AddMinutes(1));
        var detail = await admin.GetFromJsonAsync<JsonElement>($"/api/v1/webhooks/deliveries/{delivery}");
        Assert.Equal((call.Text, "ok"), (detail.GetProperty("body").GetString(), detail.GetProperty("attempts")[0].GetProperty("response").GetString()));

        await PostAsync(admin, $"/deliveries/{delivery}/replay", new { }, HttpStatusCode.Accepted);
        await UntilAsync(admin, $"/deliveries/{delivery}", d => d.GetProperty("attempts").GetArrayLength() == 2);
        Assert.Single(receiver.Calls.Where(Mine).Select(c => (c.Headers["webhook-id"], c.Text)).Distinct());

        var fresh = (await PostAsync(admin, $"/{id}/secret", new { overlap_seconds = 60 })).GetProperty("secret").GetString()!;
        receiver.Status = 500;
        var tested = await PostAsync(admin, $"/{id}/test", new { });
        Assert.Equal((false, 500, "ok"), (tested.GetProperty("arrived").GetBoolean(), tested.GetProperty("status").GetInt32(), tested.GetProperty("response").GetString()));
        var last = receiver.Calls.Last();
        Assert.Equal(WebhookSignature.Standard([fresh, secret], last.Headers["webhook-id"], last.Headers["webhook-timestamp"], last.Body), last.Headers["webhook-signature"]);

        using (var changed = await admin.PatchAsJsonAsync($"/api/v1/webhooks/{id}", new { enabled = false, events = new[] { "approval.*" } }))
            Assert.Equal(HttpStatusCode.NoContent, changed.StatusCode);
        var row = await admin.GetFromJsonAsync<JsonElement>($"/api/v1/webhooks/{id}");
        Assert.Equal(("Disabled", "approval.*"), (row.GetProperty("state").GetString(), row.GetProperty("events")[0].GetString()));
        await PostAsync(admin, $"/{id}/test", new { }, HttpStatusCode.Conflict);
        using (var gone = await admin.DeleteAsync(new Uri($"/api/v1/webhooks/{id}", UriKind.Relative)))
            Assert.Equal(HttpStatusCode.NoContent, gone.StatusCode);
        using var missing = await admin.GetAsync(new Uri($"/api/v1/webhooks/{id}", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
    }

    [Theory]
    [InlineData("""{"name":"x","url":"http://169.254.169.254/latest","events":["*"]}""", "inside the house")]
    [InlineData("""{"name":"x","url":"file:///etc/passwd","events":["*"]}""", "no address of a webhook")]
    [InlineData("""{"name":"x","url":"https://example.org/","events":[]}""", "told nothing")]
    [InlineData("""{"name":"x","url":"https://example.org/","events":["nothing"]}""", "no event")]
    [InlineData("""{"name":"x","url":"https://example.org/","events":["*"],"profile":"carrier-pigeon"}""", "no profile")]
    [InlineData("""{"name":"x","url":"https://example.org/","events":["*"],"secret":"short"}""", "whsec_")]
    [InlineData("""{"name":" ","url":"https://example.org/","events":["*"]}""", "needs a name")]
    public async Task WrongWebhook_IsRefused_WithWhatIsAllowed(string body, string said)
    {
        using var admin = await product.ProgramAsync(Roles.Admin);
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await admin.PostAsync(new Uri("/api/v1/webhooks", UriKind.Relative), content);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains(said, (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Webhooks_AreForAdministrators()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var answer = await engineer.GetAsync(new Uri("/api/v1/webhooks", UriKind.Relative));
        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
    }
}
