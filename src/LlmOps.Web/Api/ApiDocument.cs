using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace LlmOps.Web.Api;

/// <summary>What /openapi/v1.json says of the product's own API: the page at /docs/api and the client of src/LlmOps.Client are made from it.</summary>
public static partial class ApiDocument
{
    private const string Prefix = "/api/v1/";

    public static void AddApiDocument(this IServiceCollection services) => services.AddOpenApi("v1", o =>
    {
        o.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new() { Title = "LlmOps", Version = "v1", Description = "Lists take q, sort, desc, skip and take, and answer {rows, total}. Times are Unix milliseconds. Errors are {error_code, message, request_id}." };
            // The address that somebody happened to ask at is no part of the API.
            document.Servers = [];
            return Task.CompletedTask;
        });
        o.AddOperationTransformer((operation, context, _) =>
        {
            if (context.Description is { HttpMethod: { } method, RelativePath: { } path } && ("/" + path).StartsWith(Prefix, StringComparison.Ordinal))
                operation.OperationId ??= OperationId(method, path[(Prefix.Length - 1)..]);
            return Task.CompletedTask;
        });
        o.AddSchemaTransformer(Corrected);
    });

    /// <summary>GET deployments/{name}/batch → GetDeploymentsBatch; a path that ends with a parameter says which: GetDeploymentsByName.</summary>
    internal static string OperationId(string method, string path)
    {
        var parts = path.Trim('/').Split('/');
        var words = parts.SelectMany(p => Parameter().Replace(p, "").Split('-', '.', '_')).Select(Pascal);
        var last = Parameter().Match(parts[^1]) is { Success: true } only && only.Length == parts[^1].Length ? "By" + Pascal(only.Groups[1].Value) : "";
        return Pascal(method.ToLowerInvariant()) + string.Concat(words) + last;
    }

    /// <summary>The serializer writes times as numbers and knows three numbers that JSON lacks; the generator of schemas sees neither.</summary>
    private static Task Corrected(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken ct)
    {
        var type = Nullable.GetUnderlyingType(context.JsonTypeInfo.Type) ?? context.JsonTypeInfo.Type;
        var isNullable = type != context.JsonTypeInfo.Type;
        if (type == typeof(DateTimeOffset))
            (schema.Type, schema.Format, schema.Description) = (OfType(JsonSchemaType.Integer, isNullable), "int64", "Unix milliseconds.");
        else if (type == typeof(double) || type == typeof(float))
            (schema.Type, schema.AnyOf, schema.Description) = (OfType(JsonSchemaType.Number, isNullable), null, "A number, or \"NaN\", \"Infinity\" or \"-Infinity\" where it is none.");
        return Task.CompletedTask;
    }

    private static JsonSchemaType OfType(JsonSchemaType type, bool isNullable) => isNullable ? type | JsonSchemaType.Null : type;

    private static string Pascal(string word) => word.Length == 0 ? "" : string.Concat(word[..1].ToUpper(CultureInfo.InvariantCulture), word[1..]);

    [GeneratedRegex(@"\{\*{0,2}(\w+)[^}]*\}")]
    private static partial Regex Parameter();
}
