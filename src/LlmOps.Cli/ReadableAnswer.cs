using System.Globalization;
using System.Text.Json;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>A server's answer for a reader: names and values one below the other, lists as tables. What a command knows better it prints itself.</summary>
internal static class ReadableAnswer
{
    private const int LongestCell = 60, LongestValue = 500, MostColumns = 8, DeepestName = 3;

    public static void Write(JsonElement answer, string none = "Nothing.")
    {
        switch (answer.ValueKind)
        {
            case JsonValueKind.Undefined or JsonValueKind.Null:
                Console.WriteLine("Done.");
                break;
            case JsonValueKind.Array:
                Rows(answer, none);
                break;
            case JsonValueKind.Object when answer.TryGetProperty("rows", out var rows) && rows.ValueKind == JsonValueKind.Array:
                Rows(rows, none);
                break;
            case JsonValueKind.Object:
                One(answer);
                break;
            default:
                Console.WriteLine(answer.ToString());
                break;
        }
    }

    private static void One(JsonElement answer)
    {
        List<(string Name, string Value)> facts = [];
        List<(string Name, JsonElement Rows)> lists = [];
        Gather(answer, "", 0, facts, lists);
        var grid = new Grid().AddColumn(new GridColumn().NoWrap()).AddColumn();
        foreach (var (name, value) in facts)
            grid.AddRow(new Text(name, new Style(decoration: Decoration.Dim)), new Text(Cut(value, LongestValue)));
        if (facts.Count > 0)
            AnsiConsole.Write(grid);
        foreach (var (name, rows) in lists)
        {
            AnsiConsole.WriteLine();
            AnsiConsole.MarkupLineInterpolated($"[bold]{name}[/]");
            Rows(rows, "None.");
        }
    }

    private static void Gather(JsonElement value, string under, int depth, List<(string, string)> facts, List<(string, JsonElement)> lists)
    {
        foreach (var field in value.EnumerateObject())
        {
            var name = under + Words(field.Name);
            switch (field.Value.ValueKind)
            {
                case JsonValueKind.Null:
                    break;
                case JsonValueKind.Array when field.Value.GetArrayLength() == 0:
                    break;
                case JsonValueKind.Array when field.Value.EnumerateArray().All(v => v.ValueKind == JsonValueKind.Object):
                    lists.Add((name, field.Value));
                    break;
                case JsonValueKind.Object when depth < DeepestName:
                    Gather(field.Value, name + " · ", depth + 1, facts, lists);
                    break;
                default:
                    facts.Add((name, Text(field.Name, field.Value)));
                    break;
            }
        }
    }

    private static void Rows(JsonElement rows, string none)
    {
        if (rows.GetArrayLength() == 0)
        {
            Console.WriteLine(none);
            return;
        }
        if (rows.EnumerateArray().Any(r => r.ValueKind != JsonValueKind.Object))
        {
            foreach (var row in rows.EnumerateArray())
                Console.WriteLine(row.ToString());
            return;
        }
        var names = rows.EnumerateArray().SelectMany(r => r.EnumerateObject()).Where(f => f.Value.ValueKind is not (JsonValueKind.Null or JsonValueKind.Object) && !(f.Value.ValueKind == JsonValueKind.Array && f.Value.GetArrayLength() == 0))
            .Select(f => f.Name).Distinct().ToList();
        ServerCommands.Table(rows.EnumerateArray(), [.. names.Take(MostColumns).Select(n => (Words(n), (Func<JsonElement, string>)(r => r.TryGetProperty(n, out var value) ? Cut(Text(n, value), LongestCell) : "")))]);
        if (names.Count > MostColumns)
            Console.WriteLine($"Not shown: {string.Join(", ", names.Skip(MostColumns).Select(Words))}. --json has everything.");
    }

    private static string Text(string name, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => "",
        JsonValueKind.True => "yes",
        JsonValueKind.False => "no",
        JsonValueKind.Number when IsTime(name, value, out var at) => at,
        JsonValueKind.Number when !value.TryGetInt64(out _) => value.GetDouble().ToString("0.######", CultureInfo.InvariantCulture) is not "0" and var text ? text : value.GetDouble().ToString("0.###e+0", CultureInfo.InvariantCulture),
        JsonValueKind.Array => string.Join(", ", value.EnumerateArray().Select(v => Text("", v))),
        JsonValueKind.Object => value.GetRawText(),
        _ => value.ToString(),
    };

    // Times are milliseconds since 1970 everywhere in the API, and named so.
    private static bool IsTime(string name, JsonElement value, out string text)
    {
        text = "";
        if (!(name.EndsWith("_at", StringComparison.Ordinal) || name.EndsWith("_from", StringComparison.Ordinal) || name.EndsWith("_to", StringComparison.Ordinal) || name == "at") || !value.TryGetInt64(out var ms) || ms is < 100_000_000_000 or > 100_000_000_000_000)
            return false;
        text = DateTimeOffset.FromUnixTimeMilliseconds(ms).ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
        return true;
    }

    private static string Words(string name) => name.Replace('_', ' ');

    internal static string Cut(string text, int most)
    {
        var line = text.ReplaceLineEndings(" ");
        return line.Length <= most ? line : line[..(most - 1)] + "…";
    }
}
