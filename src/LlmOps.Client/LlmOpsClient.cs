using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace LlmOps.Client;

public partial class LlmOpsClient
{
    /// <summary>A client of one server that acts by an API token.</summary>
    /// <param name="server">Address of the server, http://host:port.</param>
    /// <param name="token">Made under Settings, API tokens.</param>
    public static LlmOpsClient Connect(string server, string token) =>
        new(new HttpClient { BaseAddress = new Uri(server.TrimEnd('/') + "/"), DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) } });

    /// <summary>Numbers that JSON lacks arrive as their names.</summary>
    static partial void UpdateJsonSerializerSettings(JsonSerializerOptions settings)
    {
        settings.NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals;
        settings.Converters.Add(new JsonStringEnumConverter());
        settings.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
    }
}
