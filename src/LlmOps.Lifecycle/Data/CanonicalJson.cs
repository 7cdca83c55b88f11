using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace LlmOps.Lifecycle.Data;

/// <summary>JSON of which there is only one spelling: names sorted by code unit, no white space. What is signed is its SHA-256.</summary>
public static class CanonicalJson
{
    public static string Write<T>(T value) => Sorted(JsonSerializer.SerializeToNode(value, Json.Options))?.ToJsonString(Json.Options) ?? "null";

    /// <summary>SHA-256 of the UTF-8 bytes, in lower-case hexadecimal digits.</summary>
    public static string Digest(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static JsonNode? Sorted(JsonNode? node) => node switch
    {
        JsonObject o => new JsonObject(o.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => KeyValuePair.Create(p.Key, Sorted(p.Value)))),
        JsonArray a => new JsonArray([.. a.Select(Sorted)]),
        _ => node?.DeepClone(),
    };
}
