using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using LlmOps.Lifecycle.Data;

namespace LlmOps.Lifecycle.Tracking.Search;

/// <summary>Where the next page begins: the sort values of the last row that was given. Rows that come or go in between move nothing.</summary>
internal static class PageToken
{
    private const int Longest = 20_000;

    public static string Write<T>(T place) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(Json.Write(place)));

    /// <exception cref="LlmOpsException">The token is none of this server's.</exception>
    public static T? Read<T>(string? token) where T : class
    {
        if (string.IsNullOrEmpty(token))
            return null;
        try
        {
            if (token.Length <= Longest && JsonSerializer.Deserialize<T>(Base64Url.DecodeFromChars(token), Json.Options) is { } place)
                return place;
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            // said below
        }
        throw LlmOpsException.Invalid("Invalid page token. Send the next_page_token of the answer before, or none for the first page.");
    }
}
