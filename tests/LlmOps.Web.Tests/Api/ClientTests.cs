using System.Net;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using LlmOps.Client;
using LlmOps.Lifecycle.Identity;

namespace LlmOps.Web.Tests.Api;

/// <summary>The typed client: made from a document that is the server's, and able to talk to it.</summary>
public sealed class ClientTests(WebProduct product)
{
    private static string DocumentFile([CallerFilePath] string here = "") => Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "..", "src", "LlmOps.Client", "openapi.json");

    [Fact]
    public async Task Document_IsTheServersOwn()
    {
        using var program = await product.ProgramAsync(Roles.Admin);
        var served = await program.GetStringAsync("/openapi/v1.json", TestContext.Current.CancellationToken);
        if (Environment.GetEnvironmentVariable("LLMOPS_UPDATE_OPENAPI") == "1")
            await File.WriteAllTextAsync(DocumentFile(), served, TestContext.Current.CancellationToken);

        var kept = await File.ReadAllTextAsync(DocumentFile(), TestContext.Current.CancellationToken);

        Assert.True(JsonElement.DeepEquals(JsonDocument.Parse(served).RootElement, JsonDocument.Parse(kept).RootElement),
            "The API has changed. Run this test once with LLMOPS_UPDATE_OPENAPI=1, and commit src/LlmOps.Client/openapi.json.");
    }

    [Fact]
    public async Task Operations_HaveNamesOfTheirOwn()
    {
        using var document = JsonDocument.Parse(await File.ReadAllTextAsync(DocumentFile(), TestContext.Current.CancellationToken));
        var names = document.RootElement.GetProperty("paths").EnumerateObject().Where(p => p.Name.StartsWith("/api/v1/", StringComparison.Ordinal))
            .SelectMany(p => p.Value.EnumerateObject()).Select(o => o.Value.GetProperty("operationId").GetString()).ToList();

        Assert.True(names.Count > 150);
        Assert.Equal(names.Count, names.Distinct(StringComparer.OrdinalIgnoreCase).Count());
    }

    [Fact]
    public async Task Client_ReadsAndWrites()
    {
        using var program = await product.ProgramAsync(Roles.Admin);
        var client = new LlmOpsClient(program);
        var name = $"client-{Guid.NewGuid():N}";
        using var rows = new StringContent("""{"text":"One row."}""" + "\n" + """{"text":"Another one."}""", Encoding.UTF8, "application/jsonl");
        using var imported = await program.PostAsync($"/api/v1/datasets/{name}/versions?kind=Corpus", rows, TestContext.Current.CancellationToken);
        Assert.True(imported.IsSuccessStatusCode);

        var who = await client.GetWhoamiAsync(TestContext.Current.CancellationToken);
        var found = await client.GetDatasetsAsync(q: name, cancellationToken: TestContext.Current.CancellationToken);
        var version = await client.GetDatasetsVersionsByNumberAsync(name, 1, TestContext.Current.CancellationToken);

        Assert.Contains(who.Permissions, p => p.ToString() == nameof(LlmOps.Lifecycle.Identity.Permission.Administer));
        Assert.Equal(name, Assert.Single(found.Rows).Name);
        Assert.Equal(2, version.Train_rows + version.Held_out_rows);
        // Times are Unix milliseconds, of today.
        Assert.InRange(DateTimeOffset.FromUnixTimeMilliseconds(found.Rows[0].Changed_at), DateTimeOffset.UtcNow.AddHours(-1), DateTimeOffset.UtcNow.AddHours(1));
    }

    [Fact]
    public async Task Refusals_AreExceptions_WithTheServersWords()
    {
        using var program = await product.ProgramAsync(Roles.Admin);

        var refusal = await Assert.ThrowsAsync<LlmOpsApiException>(() => new LlmOpsClient(program).GetDeploymentsByNameAsync("nothing", TestContext.Current.CancellationToken));

        Assert.Equal((int)HttpStatusCode.NotFound, refusal.StatusCode);
        Assert.Contains("RESOURCE_DOES_NOT_EXIST", refusal.Response, StringComparison.Ordinal);
    }
}
