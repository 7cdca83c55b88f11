using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmOps.Lifecycle.Identity;

namespace LlmOps.Web.Tests.Api;

public sealed class SweepApiTests(WebProduct product)
{
    private const string Yaml = "name: api-rates\npipeline: tiny\nstage: pretrain\nmetric: loss\nmethod: grid\nspace: {learning_rate: [0.001, 0.002, 0.004]}\n";

    private static Uri At(string path) => new(path, UriKind.Relative);

    [Fact]
    public async Task ASweep_IsCheckedStartedReadAndStopped()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var viewer = await product.ProgramAsync(Roles.Viewer);
        using var tiny = await engineer.PostAsync(At("/api/v1/pipelines"), new StringContent(await File.ReadAllTextAsync(TestKit.RepositoryRoot.Path("pipelines", "tiny", "tiny.yaml"))));
        Assert.Equal(HttpStatusCode.OK, tiny.StatusCode);
        using var verified = await engineer.PostAsync(At("/api/v1/sweeps/check"), new StringContent(Yaml));
        Assert.Equal("""{"name":"api-rates","pipeline":"tiny","stage":"pretrain","method":"grid","runs":3}""", await verified.BodyAsync());
        using var forbidden = await viewer.PostAsync(At("/api/v1/sweeps"), new StringContent(Yaml));
        Assert.Equal(HttpStatusCode.Forbidden, forbidden.StatusCode);
        using var started = await engineer.PostAsync(At("/api/v1/sweeps"), new StringContent(Yaml));
        Assert.Equal((HttpStatusCode.Created, "/api/v1/sweeps/api-rates"), (started.StatusCode, started.Headers.Location!.OriginalString));
        var sweep = await viewer.GetFromJsonAsync<JsonElement>(At("/api/v1/sweeps/api-rates"));
        Assert.Equal("""[{"kind":"choice","values":["0.001","0.002","0.004"],"name":"learning_rate"}]""", sweep.GetProperty("space").GetRawText());
        Assert.Equal(("Running", 3, 0.001), (sweep.GetProperty("sweep").GetProperty("state").GetString(), sweep.GetProperty("sweep").GetProperty("runs").GetInt32(), sweep.GetProperty("trials")[0].GetProperty("parameters").GetProperty("learning_rate").GetDouble()));
        using var stopped = await engineer.PostAsync(At("/api/v1/sweeps/api-rates/stop"), null);
        Assert.Equal(HttpStatusCode.NoContent, stopped.StatusCode);
        Assert.Equal("Stopped", (await viewer.GetFromJsonAsync<JsonElement>(At("/api/v1/sweeps?q=api-rates"))).GetProperty("rows")[0].GetProperty("state").GetString());
        using var again = await engineer.PostAsync(At("/api/v1/sweeps/api-rates/stop"), null);
        await again.EnsureErrorAsync(HttpStatusCode.Conflict, """{"error_code":"RESOURCE_CONFLICT","message":"api-rates is Stopped: there is nothing left to stop.","request_id":"ID"}""");
    }

    [Fact]
    public async Task WhatIsWrong_IsSaidWithItsPath()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var tiny = await engineer.PostAsync(At("/api/v1/pipelines"), new StringContent(await File.ReadAllTextAsync(TestKit.RepositoryRoot.Path("pipelines", "tiny", "tiny.yaml"))));
        using var answer = await engineer.PostAsync(At("/api/v1/sweeps"), new StringContent(Yaml.Replace("grid", "guess", StringComparison.Ordinal)));
        await answer.EnsureErrorAsync(HttpStatusCode.BadRequest, """{"error_code":"INVALID_PARAMETER_VALUE","message":"The sweep cannot be used:\n- method: 'guess' is not allowed. Allowed: grid, random, halving, tpe.","request_id":"ID"}""");
        using var missing = await engineer.GetAsync(At("/api/v1/sweeps/nobody"));
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
    }
}
