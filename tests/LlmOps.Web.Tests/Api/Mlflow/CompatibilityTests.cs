using LlmOps.TestKit;
using LlmOps.Web.Api.Mlflow;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Web.Tests.Api.Mlflow;

/// <summary>The table that people read before they switch is the routing table, no more and no less.</summary>
public sealed class CompatibilityTests(WebProduct product)
{
    [Fact]
    public void Table_ListsEveryEndpoint_WithWhatItDoes()
    {
        var mapped = product.Services.GetServices<EndpointDataSource>().SelectMany(s => s.Endpoints).Select(e => e.Metadata.GetMetadata<MlflowEndpoint>()).OfType<MlflowEndpoint>()
            .Select(e => $"{e.Since} {e.Address} {(e.Implemented ? "yes" : "501")}".Trim()).Distinct().Order(StringComparer.Ordinal);
        var listed = File.ReadLines(RepositoryRoot.Path("docs", "mlflow-compatibility.md")).Where(l => l.StartsWith("| `", StringComparison.Ordinal)).Select(l => l.Split('|', StringSplitOptions.TrimEntries))
            .Select(c => $"{c[2]} {c[1].Trim('`')} {c[3]}".Trim()).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(listed, listed.Distinct());
        Assert.Equal(mapped, listed);
    }

    /// <summary>What a client needs to train, register and read back.</summary>
    [Theory]
    [InlineData("POST /mlflow/experiments/create")]
    [InlineData("GET /mlflow/experiments/get")]
    [InlineData("GET /mlflow/experiments/get-by-name")]
    [InlineData("POST /mlflow/experiments/search")]
    [InlineData("POST /mlflow/runs/create")]
    [InlineData("POST /mlflow/runs/update")]
    [InlineData("GET /mlflow/runs/get")]
    [InlineData("POST /mlflow/runs/search")]
    [InlineData("POST /mlflow/runs/log-batch")]
    [InlineData("POST /mlflow/runs/log-metric")]
    [InlineData("POST /mlflow/runs/log-parameter")]
    [InlineData("POST /mlflow/runs/set-tag")]
    [InlineData("POST /mlflow/runs/delete-tag")]
    [InlineData("POST /mlflow/runs/log-inputs")]
    [InlineData("POST /mlflow/runs/outputs")]
    [InlineData("POST /mlflow/runs/log-model")]
    [InlineData("GET /mlflow/metrics/get-history")]
    [InlineData("GET /mlflow/artifacts/list")]
    [InlineData("GET /mlflow-artifacts/artifacts")]
    [InlineData("GET /mlflow-artifacts/artifacts/{**path}")]
    [InlineData("PUT /mlflow-artifacts/artifacts/{**path}")]
    [InlineData("POST /mlflow/logged-models")]
    [InlineData("PATCH /mlflow/logged-models/{model_id}")]
    [InlineData("GET /mlflow/logged-models/{model_id}")]
    [InlineData("POST /mlflow/logged-models/search")]
    [InlineData("PATCH /mlflow/logged-models/{model_id}/tags")]
    [InlineData("POST /mlflow/logged-models/{model_id}/params")]
    [InlineData("POST /mlflow/registered-models/create")]
    [InlineData("POST /mlflow/registered-models/rename")]
    [InlineData("PATCH /mlflow/registered-models/update")]
    [InlineData("DELETE /mlflow/registered-models/delete")]
    [InlineData("GET /mlflow/registered-models/get")]
    [InlineData("GET /mlflow/registered-models/search")]
    [InlineData("POST /mlflow/registered-models/get-latest-versions")]
    [InlineData("POST /mlflow/registered-models/set-tag")]
    [InlineData("DELETE /mlflow/registered-models/delete-tag")]
    [InlineData("POST /mlflow/registered-models/alias")]
    [InlineData("DELETE /mlflow/registered-models/alias")]
    [InlineData("GET /mlflow/registered-models/alias")]
    [InlineData("POST /mlflow/model-versions/create")]
    [InlineData("PATCH /mlflow/model-versions/update")]
    [InlineData("POST /mlflow/model-versions/transition-stage")]
    [InlineData("DELETE /mlflow/model-versions/delete")]
    [InlineData("GET /mlflow/model-versions/get")]
    [InlineData("GET /mlflow/model-versions/search")]
    [InlineData("GET /mlflow/model-versions/get-download-uri")]
    [InlineData("POST /mlflow/model-versions/set-tag")]
    [InlineData("DELETE /mlflow/model-versions/delete-tag")]
    [InlineData("GET /version")]
    [InlineData("GET /health")]
    [InlineData("GET /api/3.0/mlflow/server-info")]
    public void MinimumSet_IsImplemented(string address) =>
        Assert.Contains(product.Services.GetServices<EndpointDataSource>().SelectMany(s => s.Endpoints).Select(e => e.Metadata.GetMetadata<MlflowEndpoint>()), e => e is { Implemented: true } && e.Address == address);
}
