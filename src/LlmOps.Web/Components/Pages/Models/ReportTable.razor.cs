using System.Text.Json;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>A stored report, whatever it holds: one line for each value, nested names joined by dots.</summary>
public sealed partial class ReportTable
{
    private const int MostRows = 200;
    private readonly List<(string Path, string Value)> rows = [];
    private string? read;

    [Parameter, EditorRequired] public string? Json { get; set; }
    [Parameter] public string Empty { get; set; } = "No report is stored.";

    protected override void OnParametersSet()
    {
        if (read == Json) return;
        read = Json;
        rows.Clear();
        if (string.IsNullOrWhiteSpace(Json)) return;
        using var document = JsonDocument.Parse(Json);
        Add("", document.RootElement);
    }

    private void Add(string path, JsonElement element)
    {
        if (rows.Count >= MostRows) return;
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var property in element.EnumerateObject()) Add(path.Length == 0 ? Words(property.Name) : $"{path} · {Words(property.Name)}", property.Value);
                break;
            case JsonValueKind.Array when element.EnumerateArray().All(e => e.ValueKind is not (JsonValueKind.Object or JsonValueKind.Array)):
                rows.Add((path, element.GetArrayLength() == 0 ? "none" : string.Join(", ", element.EnumerateArray().Select(Text))));
                break;
            case JsonValueKind.Array:
                foreach (var (i, item) in element.EnumerateArray().Index())
                    // one line says a whole flat record: a table of ten columns would not fit here
                    if (item.ValueKind == JsonValueKind.Object && item.EnumerateObject().All(p => p.Value.ValueKind is not (JsonValueKind.Object or JsonValueKind.Array)))
                        rows.Add(($"{path} · {(item.TryGetProperty("name", out var name) ? Text(name) : i + 1)}", string.Join(", ", item.EnumerateObject().Where(p => p.Name != "name").Select(p => $"{Words(p.Name)} {Text(p.Value)}"))));
                    else
                        Add($"{path} · {i + 1}", item);
                break;
            default:
                rows.Add((path, path.EndsWith("bytes", StringComparison.Ordinal) && element.TryGetInt64(out var bytes) ? Display.Bytes(bytes) : Text(element)));
                break;
        }
    }

    private static string Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Number => value.TryGetInt64(out var whole) ? Display.Count(whole) : Display.Short(value.GetDouble(), 5),
        JsonValueKind.True => "yes",
        JsonValueKind.False => "no",
        JsonValueKind.Null => "–",
        _ => value.GetString() is { Length: > 0 } text ? text : "–",
    };

    private static string Words(string name) => name.Replace('_', ' ');
}
