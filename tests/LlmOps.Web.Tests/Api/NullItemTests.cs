using System.Collections;
using System.Net;
using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Identity;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Web.Tests.Api;

/// <summary>Lists that hold null, and times that no calendar has: a mistake of the caller at every address, whatever is behind it.</summary>
public sealed class NullItemTests(WebProduct product)
{
    [Fact]
    public async Task AListThatHoldsNull_IsRefused_AtEveryAddressThatTakesOne()
    {
        using var program = await product.ProgramAsync(Roles.Admin);
        var wrong = new List<string>();
        var tried = 0;
        foreach (var (method, path, body) in Bodies(p => IsListOfObjects(p.PropertyType), new JsonArray((JsonNode?)null)))
        {
            using var answer = await SendAsync(program, method, path, body);
            tried++;
            if (answer.StatusCode != HttpStatusCode.BadRequest || !(await answer.Content.ReadAsStringAsync()).Contains("holds null, and each of its items needs a value", StringComparison.Ordinal))
                wrong.Add($"{method} {path} {body}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
        }
        Assert.Empty(wrong);
        Assert.True(tried > 5, $"Only {tried} lists were tried: the table is not read right.");
    }

    [Fact]
    public async Task ATimeThatNoCalendarHas_IsRefused_AtEveryAddressThatTakesOne()
    {
        using var program = await product.ProgramAsync(Roles.Admin);
        var tried = 0;
        foreach (var (method, path, body) in Bodies(p => (Nullable.GetUnderlyingType(p.PropertyType) ?? p.PropertyType) == typeof(DateTimeOffset), long.MaxValue))
        {
            using var answer = await SendAsync(program, method, path, body);
            tried++;
            Assert.True(answer.StatusCode == HttpStatusCode.BadRequest, $"{method} {path} {body}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
        }
        Assert.True(tried > 1, $"Only {tried} times were tried: the table is not read right.");
        using var firings = await program.GetAsync(new Uri($"/api/v1/schedules/firings?from={long.MinValue}&to={long.MaxValue}", UriKind.Relative));
        Assert.Equal(HttpStatusCode.OK, firings.StatusCode);
    }

    /// <summary>For each address with a JSON body and each property of it that is meant: the body with that property wrong and the others as they may be.</summary>
    private IEnumerable<(string Method, string Path, string Body)> Bodies(Func<PropertyInfo, bool> isMeant, JsonNode wrong)
    {
        foreach (var endpoint in product.Services.GetServices<EndpointDataSource>().SelectMany(s => s.Endpoints).OfType<RouteEndpoint>())
        {
            if (endpoint.Metadata.GetMetadata<IAcceptsMetadata>() is not { RequestType: { } type } accepts || !accepts.ContentTypes.Contains("application/json"))
                continue;
            foreach (var property in type.GetProperties().Where(p => p.CanWrite && isMeant(p)))
            {
                var body = new JsonObject();
                foreach (var other in type.GetProperties().Where(p => p.CanWrite && p != property))
                    body[JsonNamingPolicy.SnakeCaseLower.ConvertName(other.Name)] = Sample(other.PropertyType);
                body[JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name)] = wrong.DeepClone();
                var path = System.Text.RegularExpressions.Regex.Replace("/" + endpoint.RoutePattern.RawText!.TrimStart('/'), @"\{[^}]*\}", m => m.Value.Contains(":guid", StringComparison.Ordinal) ? Guid.Empty.ToString() : "1");
                yield return (endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()!.HttpMethods[0], path, body.ToJsonString());
            }
        }
    }

    private static JsonNode? Sample(Type type)
    {
        if (Nullable.GetUnderlyingType(type) is not null)
            return null;
        if (type == typeof(string))
            return "a";
        if (type.IsEnum)
            return Enum.GetNames(type)[0];
        if (type == typeof(bool))
            return false;
        if (type.IsPrimitive || type == typeof(DateTimeOffset) || type == typeof(double))
            return 1;
        return typeof(IDictionary).IsAssignableFrom(type) ? new JsonObject() : typeof(IEnumerable).IsAssignableFrom(type) ? new JsonArray() : null;
    }

    private static bool IsListOfObjects(Type type) => type != typeof(string) && !typeof(IDictionary).IsAssignableFrom(type) && typeof(IEnumerable).IsAssignableFrom(type)
        && (type.IsArray ? type.GetElementType() : type.IsGenericType && type.GetGenericArguments() is [var item] ? item : null) is { IsValueType: false };

    private static async Task<HttpResponseMessage> SendAsync(HttpClient client, string method, string path, string body)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), path) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        return await client.SendAsync(request);
    }
}
