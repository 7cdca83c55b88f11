using System.Net;
using System.Text.RegularExpressions;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Web.Tests.Api.Mlflow;

public sealed partial class RegistryTests(WebProduct product)
{
    private static string Name() => $"Iris Classifier {Guid.NewGuid():N}";

    private static async Task<string> RegisterAsync(MlflowClient client, string name, string source = "s3://bucket/model")
    {
        var made = await client.PostAsync("/mlflow/model-versions/create", new { name, source, tags = new[] { new { key = "k", value = "v" } }, description = "first" });
        return (string)made["model_version"]!["version"]!;
    }

    [Fact]
    public async Task Model_IsRegistered_Tagged_Searched_AndTakenAway()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var name = Name();
        await client.PostAsync("/mlflow/registered-models/create", new { name, description = "Tells flowers apart.", tags = new[] { new { key = "team", value = "core" } } });
        await client.RefusedAsync(HttpStatusCode.BadRequest, "RESOURCE_ALREADY_EXISTS", "POST", "/mlflow/registered-models/create", new { name });
        Assert.Equal("1", await RegisterAsync(client, name));
        Assert.Equal("2", await RegisterAsync(client, name, "s3://bucket/other"));
        await client.PostAsync("/mlflow/registered-models/set-tag", new { name, key = "stage", value = "trial" });
        await client.CallAsync("DELETE", "/mlflow/registered-models/delete-tag", new { name, key = "team" });
        await client.PostAsync("/mlflow/model-versions/set-tag", new { name, version = "2", key = "text", value = new string('x', 100_000) });
        await client.CallAsync("DELETE", "/mlflow/model-versions/delete-tag", new { name, version = "2", key = "text" });
        await client.CallAsync("PATCH", "/mlflow/model-versions/update", new { name, version = "2", description = "second" });
        await client.PostAsync("/mlflow/registered-models/alias", new { name, alias = "champion", version = "2" });
        var model = (await client.GetAsync($"/mlflow/registered-models/get?name={Uri.EscapeDataString(name)}"))["registered_model"]!;
        Assert.Equal("""[{"key":"stage","value":"trial"}]""", model["tags"]!.ToJsonString());
        Assert.Equal("""[{"alias":"champion","version":"2"}]""", model["aliases"]!.ToJsonString());
        Assert.Equal("2", (string)Assert.Single(model["latest_versions"]!.AsArray())!["version"]!);
        var version = (await client.GetAsync($"/mlflow/registered-models/alias?name={Uri.EscapeDataString(name)}&alias=champion"))["model_version"]!;
        Assert.Equal(("2", "s3://bucket/other", "READY", "None", "second"), ((string)version["version"]!, (string)version["source"]!, (string)version["status"]!, (string)version["current_stage"]!, (string)version["description"]!));
        Assert.Equal("""["champion"]""", version["aliases"]!.ToJsonString());
        // What every search of a 3.x client carries: a model without the tag is no prompt.
        var filter = Uri.EscapeDataString($"name = '{name}' AND tag.`mlflow.prompt.is_prompt` != 'true'");
        Assert.Single((await client.GetAsync($"/mlflow/registered-models/search?filter={filter}&max_results=10&order_by=name%20ASC"))["registered_models"]!.AsArray());
        var versions = (await client.GetAsync($"/mlflow/model-versions/search?filter={Uri.EscapeDataString($"name='{name}'")}"))["model_versions"]!.AsArray();
        Assert.Equal(["2", "1"], versions.Select(v => (string)v!["version"]!));
        Assert.Equal("s3://bucket/other", (string)(await client.GetAsync($"/mlflow/model-versions/get-download-uri?name={Uri.EscapeDataString(name)}&version=2"))["artifact_uri"]!);
        var renamed = Name();
        await client.PostAsync("/mlflow/registered-models/rename", new { name, new_name = renamed });
        await client.CallAsync("DELETE", "/mlflow/registered-models/alias", new { name = renamed, alias = "champion" });
        await client.CallAsync("DELETE", "/mlflow/model-versions/delete", new { name = renamed, version = "2" });
        Assert.Equal("3", await RegisterAsync(client, renamed));
        await client.CallAsync("DELETE", "/mlflow/registered-models/delete", new { name = renamed });
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "GET", $"/mlflow/registered-models/get?name={Uri.EscapeDataString(renamed)}");
    }

    [Fact]
    public async Task Prompt_IsAModelWithItsTag_AndKeptOutOfSearches()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var name = Name();
        await client.PostAsync("/mlflow/registered-models/create", new { name, tags = new[] { new { key = "mlflow.prompt.is_prompt", value = "true" } } });
        await client.PostAsync("/mlflow/model-versions/create", new { name, source = "dummy-source", tags = new[] { new { key = "mlflow.prompt.text", value = "Summarise: {{text}}" } } });
        string Search(string op) => $"/mlflow/registered-models/search?filter={Uri.EscapeDataString($"name = '{name}' AND tags.`mlflow.prompt.is_prompt` {op} 'true'")}";
        Assert.Single((await client.GetAsync(Search("=")))["registered_models"]!.AsArray());
        Assert.Null((await client.GetAsync(Search("!=")))["registered_models"]);
    }

    [Theory]
    [InlineData("latest")]
    [InlineData("Latest")]
    [InlineData("v12")]
    [InlineData("a b")]
    [InlineData("a/b")]
    [InlineData("")]
    public async Task Alias_ThatReadsLikeSomethingElse_IsRefused(string alias)
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var name = Name();
        await client.PostAsync("/mlflow/registered-models/create", new { name });
        await RegisterAsync(client, name);
        await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "POST", "/mlflow/registered-models/alias", new { name, alias, version = "1" });
    }

    /// <summary>A CI script that moves a guarded alias or stage opens a request once; when people have signed it, the script finds the alias moved.</summary>
    [Theory]
    [InlineData("/mlflow/registered-models/alias", "production")]
    [InlineData("/mlflow/registered-models/alias", "Production")]
    [InlineData("/mlflow/model-versions/transition-stage", "Production")]
    public async Task GuardedAlias_MovesOnlyAfterAnApproval(string path, string word)
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var name = Name();
        await client.PostAsync("/mlflow/registered-models/create", new { name });
        await RegisterAsync(client, name);
        object body = path.EndsWith("alias", StringComparison.Ordinal) ? new { name, alias = word, version = "1" } : new { name, version = "1", stage = word, archive_existing_versions = true };
        var message = await client.RefusedAsync(HttpStatusCode.Conflict, "RESOURCE_CONFLICT", "POST", path, body);
        var address = Address().Match(message);
        Assert.True(address.Success, message);
        Assert.Equal(message, await client.RefusedAsync(HttpStatusCode.Conflict, "RESOURCE_CONFLICT", "POST", path, body));
        await client.RefusedAsync(HttpStatusCode.BadRequest, "INVALID_PARAMETER_VALUE", "GET", $"/mlflow/registered-models/alias?name={Uri.EscapeDataString(name)}&alias=production");
        // the address is a page that a person opens
        using var person = await product.SessionAsync(Roles.ReleaseManager);
        Assert.Contains(name, await person.GetStringAsync(new Uri($"/approvals/{address.Groups[1].Value}", UriKind.Relative)), StringComparison.Ordinal);
        var rosa = Actor.WithRoles((await product.PersonAsync(Roles.ReleaseManager)).Id, "rosa", [Roles.ReleaseManager]);
        await product.Get<DecideApproval>().ApproveAsync(Guid.Parse(address.Groups[1].Value), "Fine.", rosa);
        await client.PostAsync(path, body);
        var version = (await client.GetAsync($"/mlflow/model-versions/get?name={Uri.EscapeDataString(name)}&version=1"))["model_version"]!;
        Assert.Equal(("Production", """["production"]"""), ((string)version["current_stage"]!, version["aliases"]!.ToJsonString()));
        await client.RefusedAsync(HttpStatusCode.Forbidden, "PERMISSION_DENIED", "DELETE", "/mlflow/registered-models/alias", new { name, alias = "production" });
        await client.RefusedAsync(HttpStatusCode.Conflict, "RESOURCE_CONFLICT", "DELETE", "/mlflow/model-versions/delete", new { name, version = "1" });
        await client.RefusedAsync(HttpStatusCode.Forbidden, "PERMISSION_DENIED", "POST", "/mlflow/model-versions/transition-stage", new { name, version = "1", stage = "Archived", archive_existing_versions = false });
    }

    /// <summary>What was registered stays what it was, whatever happens to the folder of the run.</summary>
    [Fact]
    public async Task Files_AreFixed_WhenAVersionIsRegistered()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var experiment = await client.ExperimentAsync();
        var run = await client.RunAsync(experiment);
        var file = new Uri($"/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts/model/weights.bin", UriKind.Relative);
        (await client.Http.PutAsync(file, new StringContent("before"))).EnsureSuccessStatusCode();
        var name = Name();
        await client.PostAsync("/mlflow/registered-models/create", new { name });
        await client.PostAsync("/mlflow/model-versions/create", new { name, source = $"mlflow-artifacts:/{experiment}/{run}/artifacts/model", run_id = run });
        (await client.Http.PutAsync(file, new StringContent("after"))).EnsureSuccessStatusCode();
        await client.CallAsync("DELETE", $"/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts/model");
        var uri = (string)(await client.GetAsync($"/mlflow/model-versions/get-download-uri?name={Uri.EscapeDataString(name)}&version=1"))["artifact_uri"]!;
        Assert.Equal($"mlflow-artifacts:/model-versions/{name}/1", uri);
        var folder = Uri.EscapeDataString($"model-versions/{name}/1");
        Assert.Equal("""{"files":[{"path":"weights.bin","is_dir":false,"file_size":6}]}""", (await client.GetAsync($"/mlflow-artifacts/artifacts?path={folder}")).ToJsonString());
        Assert.Equal("before", await client.Http.GetStringAsync(new Uri($"/api/2.0/mlflow-artifacts/artifacts/model-versions/{Uri.EscapeDataString(name)}/1/weights.bin", UriKind.Relative)));
        Assert.Equal("before", await client.Http.GetStringAsync(new Uri($"/model-versions/get-artifact?name={Uri.EscapeDataString(name)}&version=1&path=weights.bin", UriKind.Relative)));
        await client.RefusedAsync(HttpStatusCode.Forbidden, "PERMISSION_DENIED", "DELETE", $"/mlflow-artifacts/artifacts/model-versions/{Uri.EscapeDataString(name)}/1/weights.bin");
        // the page says what it is
        using var person = await product.SessionAsync(Roles.Viewer);
        var page = await person.GetStringAsync(new Uri($"/models/{Uri.EscapeDataString(name)}/1", UriKind.Relative));
        Assert.Contains("Registered by a client of the MLflow API", page, StringComparison.Ordinal);
    }

    [GeneratedRegex(@"https?://[^/]+/approvals/([0-9a-f-]{36})")]
    private static partial Regex Address();
}
