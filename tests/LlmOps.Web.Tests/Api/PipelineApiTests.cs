using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmOps.Lifecycle.Identity;

namespace LlmOps.Web.Tests.Api;

public sealed class PipelineApiTests(WebProduct product)
{
    private static string Yaml(string name, string kind = "import-data") => $"""
        name: {name}
        description: For a test.
        stages:
          - name: data
            kind: {kind}
            with:
              source: data
              name: api-test
        """;

    [Fact]
    public async Task ShippedPipelines_AreThere_FromTheFirstStart()
    {
        using var viewer = await product.ProgramAsync(Roles.Viewer);
        var pipelines = await viewer.GetFromJsonAsync<JsonElement>("/api/v1/pipelines?q=quickstart");
        Assert.Equal("quickstart", pipelines.GetProperty("rows")[0].GetProperty("name").GetString());
    }

    [Fact]
    public async Task APipeline_IsDefinedStartedAndCancelled()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var defined = await engineer.PostAsync(new Uri("/api/v1/pipelines?folder=quickstart", UriKind.Relative), new StringContent(Yaml("api-run")));
        Assert.Equal(HttpStatusCode.OK, defined.StatusCode);
        using var started = await engineer.PostAsync(new Uri("/api/v1/pipelines/api-run/runs", UriKind.Relative), null);
        Assert.Equal(HttpStatusCode.Created, started.StatusCode);
        var run = await engineer.GetFromJsonAsync<JsonElement>(started.Headers.Location);
        Assert.Equal("Running", run.GetProperty("state").GetString());
        var stage = run.GetProperty("stages")[0];
        Assert.Equal("Queued", stage.GetProperty("state").GetString());
        var log = await engineer.GetFromJsonAsync<JsonElement>($"/api/v1/jobs/{stage.GetProperty("job_id").GetString()}/log?after=0");
        Assert.Equal(JsonValueKind.Array, log.ValueKind);
        using var cancelled = await engineer.PostAsync(new Uri($"{started.Headers.Location}/cancel", UriKind.Relative), null);
        Assert.Equal(HttpStatusCode.NoContent, cancelled.StatusCode);
        Assert.Equal("Cancelled", (await engineer.GetFromJsonAsync<JsonElement>(started.Headers.Location)).GetProperty("state").GetString());
        using var retried = await engineer.PostAsync(new Uri($"{started.Headers.Location}/retry", UriKind.Relative), null);
        Assert.Equal(HttpStatusCode.NoContent, retried.StatusCode);
        using (await engineer.PostAsync(new Uri($"{started.Headers.Location}/cancel", UriKind.Relative), null)) { }
    }

    [Fact]
    public async Task AnUnknownStage_IsRefused_WithItsPathAndWhatIsAllowed()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var answer = await engineer.PostAsync(new Uri("/api/v1/pipelines", UriKind.Relative), new StringContent(Yaml("api-unknown", "teleport")));
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var message = (await answer.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("message").GetString();
        Assert.StartsWith("The pipeline cannot be used:\n- stages[0].kind: 'teleport' is no stage kind. Allowed: import-data, ", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../../etc")]
    [InlineData("/etc")]
    [InlineData("quickstart/../../..")]
    public async Task AFolderOutsideThePipelines_IsRefused(string folder)
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var answer = await engineer.PostAsync(new Uri($"/api/v1/pipelines?folder={Uri.EscapeDataString(folder)}", UriKind.Relative), new StringContent(Yaml("api-outside")));
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("leads out of the pipelines folder", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TheAddressAndTheYaml_HaveToAgreeOnTheName()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var answer = await engineer.PutAsync(new Uri("/api/v1/pipelines/one", UriKind.Relative), new StringContent(Yaml("other")));
        await answer.EnsureErrorAsync(HttpStatusCode.BadRequest,
            """{"error_code":"INVALID_PARAMETER_VALUE","message":"The YAML is called 'other', the address 'one'. Make them the same.","request_id":"ID"}""");
    }

    [Fact]
    public async Task Schedules_AreMadeTurnedOffAndDeleted()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var made = await engineer.PostAsJsonAsync("/api/v1/schedules", new { name = "nightly", pipeline = "quickstart", cron = "0 3 * * *", time_zone = "Europe/Berlin" });
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        var id = (await made.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("id").GetString();
        using var off = await engineer.PutAsJsonAsync($"/api/v1/schedules/{id}", new { enabled = false });
        Assert.Equal(HttpStatusCode.NoContent, off.StatusCode);
        var listed = await engineer.GetFromJsonAsync<JsonElement>("/api/v1/schedules?pipeline=quickstart");
        Assert.False(listed.EnumerateArray().Single(s => s.GetProperty("id").GetString() == id).GetProperty("enabled").GetBoolean());
        using var deleted = await engineer.DeleteAsync(new Uri($"/api/v1/schedules/{id}", UriKind.Relative));
        Assert.Equal(HttpStatusCode.NoContent, deleted.StatusCode);
        using var wrong = await engineer.PostAsJsonAsync("/api/v1/schedules", new { name = "nightly", pipeline = "quickstart", cron = "often" });
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
    }
}
