using Microsoft.AspNetCore.WebUtilities;

namespace LlmOps.Web.Components.Shared;

/// <summary>Reads the page's state out of its address.</summary>
public static class QueryText
{
    public static string? Read(string uri, string name)
    {
        var start = uri.IndexOf('?', StringComparison.Ordinal);
        if (start < 0) return null;
        var end = uri.IndexOf('#', start);
        var query = QueryHelpers.ParseQuery(end < 0 ? uri[start..] : uri[start..end]);
        return query.TryGetValue(name, out var values) && values.Count > 0 && values[0] is { Length: > 0 } value ? value : null;
    }
}
