using System.Text.RegularExpressions;
using LlmOps.Web.Tests;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Web.Tests.Security;

/// <summary>An address of the product and a method it takes. <see cref="Path"/> has sample values in the place of parameters.</summary>
public sealed record Address(string Method, string Pattern, string Path, bool IsOpen, bool IsStaticFile)
{
    /// <summary>A search that is sent by POST, as the MLflow API has them: it asks for reading only and changes nothing.</summary>
    public bool OnlyReads { get; init; }
}

public static partial class AllEndpoints
{
    /// <summary>Everything that the product answers to, from its own routing table: an endpoint that somebody adds is in here by itself.</summary>
    public static IReadOnlyList<Address> Of(WebProduct product)
    {
        return [.. product.Services.GetServices<EndpointDataSource>().SelectMany(s => s.Endpoints).OfType<RouteEndpoint>().SelectMany(Addresses).DistinctBy(a => (a.Method, a.Pattern))];
    }

    private static IEnumerable<Address> Addresses(RouteEndpoint endpoint)
    {
        var pattern = "/" + (endpoint.RoutePattern.RawText ?? "").TrimStart('/');
        var open = endpoint.Metadata.GetMetadata<IAllowAnonymous>() is not null;
        var file = endpoint.Metadata.Any(m => m.GetType().Name == "StaticAssetDescriptor");
        var reads = endpoint.Metadata.GetMetadata<LlmOps.Web.Api.Mlflow.MlflowEndpoint>() is { OnlyReads: true };
        // No list of methods means that every method is taken.
        var methods = endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods is { Count: > 0 } named ? named : ["GET", "POST", "PUT", "DELETE", "PATCH"];
        return methods.Where(m => m is not ("HEAD" or "OPTIONS")).Select(m => new Address(m, pattern, Sample(pattern), open, file) { OnlyReads = reads });
    }

    private static string Sample(string pattern) => Parameter().Replace(pattern, match => match.Groups[1].Value switch
    {
        var name when name.Contains(":guid", StringComparison.Ordinal) => "00000000-0000-0000-0000-000000000001",
        var name when name.Contains(":int", StringComparison.Ordinal) => "1",
        _ => "sample",
    });

    [GeneratedRegex(@"\{([^}]*)\}")]
    private static partial Regex Parameter();
}
