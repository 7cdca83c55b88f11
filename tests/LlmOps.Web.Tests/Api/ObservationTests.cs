using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Lifecycle.Webhooks;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Tests.Api;

/// <summary>Drift, conversations and sealed secrets over HTTP.</summary>
public sealed class ObservationTests(WebProduct product)
{
    [Fact]
    public async Task AConversation_IsListed_AndRead_WhateverItsIdIsMadeOf()
    {
        var id = $"walk/{Guid.NewGuid():N}?x=1";
        var trace = Convert.ToHexStringLower(Guid.NewGuid().ToByteArray());
        await product.Get<IngestSpans>().IngestAsync([new Span { TraceId = trace, SpanId = trace[..16], Name = "chat", Kind = "chat", SessionId = id, StartedAt = DateTimeOffset.UtcNow, DurationMs = 3, Input = "Is it far?", Output = "A mile." }]);
        using var client = await product.ProgramAsync(Roles.Engineer, Permission.Read);
        var listed = await client.GetFromJsonAsync<JsonNode>(new Uri($"/api/v1/sessions?q={Uri.EscapeDataString(id)}", UriKind.Relative));
        Assert.Equal(id, (string?)Assert.Single(listed!["rows"]!.AsArray())!["id"]);
        var one = await client.GetFromJsonAsync<JsonNode>(new Uri($"/api/v1/sessions/one?id={Uri.EscapeDataString(id)}", UriKind.Relative));
        Assert.Equal(("Is it far?", "A mile."), ((string?)one!["turns"]![0]!["asked"]![0]!["text"], (string?)one["turns"]![0]!["answered"]![0]!["text"]));
        using var none = await client.GetAsync(new Uri("/api/v1/sessions/one?id=none", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, none.StatusCode);
    }

    [Fact]
    public async Task Drift_OfADeploymentThatIsNotThere_IsNotFound_AndNeedsTheRight()
    {
        using var reader = await product.ProgramAsync(Roles.Engineer, Permission.Read);
        using var none = await reader.GetAsync(new Uri("/api/v1/deployments/none/drift", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NotFound, none.StatusCode);
        using var refused = await reader.PostAsync(new Uri("/api/v1/deployments/none/drift", UriKind.Relative), null);
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
    }

    [Fact]
    public async Task TheSecretOfAWebhook_IsNotInTheDatabase_AndStillSigns()
    {
        var made = await product.Get<ManageWebhooks>().CreateAsync(new NewWebhook($"sealed {Guid.NewGuid():N}", "https://ci.example.org/", ["job.failed"]), Actor.WithRoles(Guid.NewGuid(), "ada", [Roles.Admin]));
        await using var db = await product.Get<IDbContextFactory<LlmOps.Lifecycle.Data.LlmOpsDb>>().CreateDbContextAsync();
        var stored = (await db.WebhookEndpoints.AsNoTracking().SingleAsync(e => e.Id == made.Id)).SecretsJson;
        Assert.DoesNotContain("whsec_", stored, StringComparison.Ordinal);
        Assert.DoesNotContain(made.Secret[6..], stored, StringComparison.Ordinal);
        Assert.Equal(made.Secret, Assert.Single(product.Get<SecretVault>().Read(stored)).Secret);
    }
}
