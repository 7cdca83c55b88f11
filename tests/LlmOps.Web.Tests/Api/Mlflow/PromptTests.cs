using System.Net;

namespace LlmOps.Web.Tests.Api.Mlflow;

/// <summary>Prompts are registered models with a tag: what MLflow's clients send for register_prompt, load_prompt, search_prompts and set_prompt_alias.</summary>
public sealed class PromptTests(WebProduct product)
{
    private static object[] Tags(params (string Key, string Value)[] tags) => [.. tags.Select(t => new { key = t.Key, value = t.Value })];

    private static Task VersionAsync(MlflowClient client, string name, string text) => client.PostAsync("/mlflow/model-versions/create", new
    {
        name, source = "dummy-source", description = "said otherwise", tags = Tags(("mlflow.prompt.is_prompt", "true"), ("mlflow.prompt.text", text), ("mlflow.prompt.type", "text")),
    });

    [Fact]
    public async Task Prompt_IsRegisteredVersionedSearchedAliasedAndLoaded()
    {
        using var client = await MlflowClient.EngineerAsync(product);
        var name = $"greeting-{Guid.NewGuid():N}";
        await client.PostAsync("/mlflow/registered-models/create", new { name, tags = Tags(("mlflow.prompt.is_prompt", "true"), ("team", "core")) });
        await VersionAsync(client, name, "Hello {{name}}");
        var second = string.Concat(Enumerable.Repeat("0123456789", 9_999)) + "{{name}} ä";    // 100,000 characters
        await VersionAsync(client, name, second);
        // a prompt that is registered again is there already, which the client looks for
        await client.RefusedAsync(HttpStatusCode.BadRequest, "RESOURCE_ALREADY_EXISTS", "POST", "/mlflow/registered-models/create", new { name });
        var read = (await client.GetAsync($"/mlflow/model-versions/get?name={name}&version=2"))["model_version"]!;
        Assert.Equal((second, "2", "READY", "said otherwise", "dummy-source"), ((string)read["tags"]!.AsArray().Single(t => (string)t!["key"]! == "mlflow.prompt.text")!["value"]!, (string)read["version"]!, (string)read["status"]!, (string)read["description"]!, (string)read["source"]!));

        var found = await client.GetAsync($"/mlflow/registered-models/search?filter={Uri.EscapeDataString($"name = '{name}' AND tags.`mlflow.prompt.is_prompt` = 'true' AND tags.team = 'core'")}&max_results=100");
        Assert.Equal((name, "2"), ((string)Assert.Single(found["registered_models"]!.AsArray())!["name"]!, (string)found["registered_models"]![0]!["latest_versions"]![0]!["version"]!));
        Assert.Null((await client.GetAsync($"/mlflow/registered-models/search?filter={Uri.EscapeDataString($"name = '{name}' AND tag.`mlflow.prompt.is_prompt` != 'true'")}"))["registered_models"]);
        Assert.Equal(["2", "1"], (await client.GetAsync($"/mlflow/model-versions/search?filter={Uri.EscapeDataString($"name = '{name}'")}"))["model_versions"]!.AsArray().Select(v => (string)v!["version"]!));

        await client.PostAsync("/mlflow/registered-models/alias", new { name, alias = "best", version = "1" });
        Assert.Equal("1", (string)(await client.GetAsync($"/mlflow/registered-models/alias?name={name}&alias=best"))["model_version"]!["version"]!);
        await client.PostAsync("/mlflow/registered-models/alias", new { name, alias = "best", version = "2" });
        var aliased = (await client.GetAsync($"/mlflow/registered-models/get?name={name}"))["registered_model"]!;
        Assert.Equal(("best", "2"), ((string)aliased["aliases"]![0]!["alias"]!, (string)aliased["aliases"]![0]!["version"]!));
        // an environment is guarded, for prompts too
        Assert.Contains("/approvals/", await client.RefusedAsync(HttpStatusCode.Conflict, "RESOURCE_CONFLICT", "POST", "/mlflow/registered-models/alias", new { name, alias = "production", version = "2" }), StringComparison.Ordinal);
        await client.CallAsync("DELETE", "/mlflow/registered-models/alias", new { name, alias = "best" });
        // what an alias no longer names, and a version that never was, are not found: load_prompt(allow_missing=True) counts on it
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "GET", $"/mlflow/model-versions/get?name={name}&version=3");
        await client.PostAsync("/mlflow/model-versions/set-tag", new { name, version = "1", key = "tone", value = "warm" });
        await client.CallAsync("DELETE", "/mlflow/model-versions/delete", new { name, version = "1" });
        await client.RefusedAsync(HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "GET", $"/mlflow/model-versions/get?name={name}&version=1");
    }
}
