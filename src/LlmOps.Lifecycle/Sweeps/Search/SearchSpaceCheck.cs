using System.Globalization;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Pipelines.Stages;

namespace LlmOps.Lifecycle.Sweeps.Search;

/// <summary>Makes a space from what a person wrote, held against the fields of the stage it is for. Every problem is found, not only the first.</summary>
public static class SearchSpaceCheck
{
    private const string Forms = "Allowed: a list of values, {int: [2, 6]}, {float: [0, 0.5]} or {log: [1e-5, 1e-2]}";
    private const int MostPoints = 1000;

    /// <param name="written">Parameter name → what it may be: a list, or a mapping with choice, int, float or log.</param>
    /// <param name="reserved">A parameter that the method itself sets, such as halving's budget.</param>
    public static SearchSpace? Read(JsonObject written, StageKind kind, string? reserved, List<FieldProblem> problems)
    {
        var before = problems.Count;
        var fields = StageFields.Of(kind).ToDictionary(f => f.Name);
        var searchable = fields.Values.Where(IsSearchable).Select(f => f.Name);
        if (written.Count == 0)
            problems.Add(new("space", $"at least one parameter is needed. {kind.Name} has: {string.Join(", ", searchable)}."));
        var dimensions = new List<SearchDimension>();
        foreach (var (name, value) in written)
        {
            var path = "space." + name;
            if (!fields.TryGetValue(name, out var field))
                problems.Add(new(path, $"{kind.Name} has no parameter '{name}'. Allowed: {string.Join(", ", searchable)}."));
            else if (!IsSearchable(field))
                problems.Add(new(path, $"'{name}' does not say how the stage learns. Allowed: {string.Join(", ", searchable)}."));
            else if (name == reserved)
                problems.Add(new(path, $"'{name}' is the budget that successive halving sets. Take it out of the space, or name another budget."));
            else if (Dimension(field, value, path, problems) is { } dimension)
                dimensions.Add(dimension);
        }
        return problems.Count > before ? null : new SearchSpace(dimensions);
    }

    /// <summary>What a run writes down and how often it looks: it changes no weight, or it changes the number that decides.</summary>
    private static readonly string[] Bookkeeping = ["evaluate_every", "held_out_examples", "sample_every", "checkpoint_every", "keep_checkpoints"];

    /// <summary>References name data and models; a list has no order and no distance; a text that may be anything names something.</summary>
    public static bool IsSearchable(StageField field) =>
        field is { Reference: false, Required: false, Type: not FieldType.List } && (field.Type != FieldType.Text || field.Allowed is not null) && !Bookkeeping.Contains(field.Name);

    private static SearchDimension? Dimension(StageField field, JsonNode? value, string path, List<FieldProblem> problems)
    {
        if (value is JsonArray list)
            return Choice(field, list, path, problems);
        if (value is not JsonObject map)
        {
            problems.Add(new(path, $"one value leaves nothing to search. {Forms}."));
            return null;
        }
        string[] kinds = ["choice", "int", "float", "log"], options = ["step", "points"];
        var given = kinds.Where(map.ContainsKey).ToList();
        foreach (var key in map.Select(m => m.Key).Where(k => !kinds.Contains(k) && !options.Contains(k)))
            problems.Add(new($"{path}.{key}", $"unknown key. Allowed: {string.Join(", ", kinds.Concat(options))}."));
        if (given.Count != 1)
        {
            problems.Add(new(path, $"it is not clear what may be tried. {Forms}."));
            return null;
        }
        return given[0] == "choice" ? Choice(field, map["choice"] as JsonArray ?? [], path, problems) : Range(field, given[0], map, path, problems);
    }

    private static ChoiceDimension? Choice(StageField field, JsonArray list, string path, List<FieldProblem> problems)
    {
        var before = problems.Count;
        var values = new List<string>();
        foreach (var text in list.Select(i => i is null ? "" : i is JsonValue v && v.TryGetValue<bool>(out var flag) ? flag ? "true" : "false" : i.ToString()))
        {
            var found = new List<FieldProblem>();
            if (Checked(field, text, path, found) is { } value)
                values.Add(value);
            problems.AddRange(found);
        }
        if (problems.Count == before && values.Distinct().Count() < 2)
            problems.Add(new(path, $"at least two different values are needed{(field.Allowed is null ? "" : $", of {string.Join(", ", field.Allowed)}")}."));
        return problems.Count > before ? null : new ChoiceDimension(field.Name, [.. values.Distinct()]);
    }

    /// <summary>The value in the form in which it comes back from a trial's row.</summary>
    private static string? Checked(StageField field, string text, string path, List<FieldProblem> problems)
    {
        switch (field.Type)
        {
            case FieldType.Flag when !bool.TryParse(text, out _):
                problems.Add(new(path, $"'{text}' is neither true nor false."));
                return null;
            case FieldType.Flag:
                return bool.Parse(text) ? "true" : "false";
            case FieldType.Integer or FieldType.Number:
                return Number(field, text, path, problems) is { } number ? SearchDimension.Text(number) : null;
            default:
                if (field.Allowed is null || field.Allowed.Contains(text))
                    return text;
                problems.Add(new(path, $"'{text}' is not allowed. Allowed: {string.Join(", ", field.Allowed)}."));
                return null;
        }
    }

    private static double? Number(StageField field, string text, string path, List<FieldProblem> problems)
    {
        if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) || !double.IsFinite(number))
            problems.Add(new(path, $"'{text}' is not a number."));
        else if (field.Type == FieldType.Integer && number != Math.Floor(number))
            problems.Add(new(path, $"'{text}' is not a whole number."));
        else if (number < field.Min || number > field.Max)
            problems.Add(new(path, string.Create(CultureInfo.InvariantCulture, $"{text} is outside {field.Min} … {field.Max}{(field.Unit is null ? "" : " " + field.Unit)}.")));
        else
            return number;
        return null;
    }

    private static RangeDimension? Range(StageField field, string kind, JsonObject map, string path, List<FieldProblem> problems)
    {
        var before = problems.Count;
        if (field.Type is not (FieldType.Integer or FieldType.Number))
            problems.Add(new(path, $"'{field.Name}' is no number and has no range. Give a list{(field.Allowed is null ? "" : $" of {string.Join(", ", field.Allowed)}")}."));
        if (kind == "float" && field.Type == FieldType.Integer)
            problems.Add(new(path, $"'{field.Name}' takes whole numbers: write {{int: [low, high]}} or {{log: [low, high]}}."));
        if (map[kind] is not JsonArray { Count: 2 } ends)
            problems.Add(new(path, $"a range has two ends: {{{kind}: [low, high]}}."));
        else if (problems.Count == before && (Number(field, ends[0]?.ToString() ?? "", path, problems), Number(field, ends[1]?.ToString() ?? "", path, problems)) is ({ } min, { } max))
            return Range(field, kind, min, max, map, path, problems);
        return null;
    }

    private static RangeDimension? Range(StageField field, string kind, double min, double max, JsonObject map, string path, List<FieldProblem> problems)
    {
        var before = problems.Count;
        if (min >= max)
            problems.Add(new(path, string.Create(CultureInfo.InvariantCulture, $"the low end {min} is not below the high end {max}.")));
        if (kind == "log" && min <= 0)
            problems.Add(new(path, "a logarithmic range starts above 0: 0 has no logarithm. Write {float: [low, high]} when 0 matters."));
        if (kind == "int" && (min != Math.Floor(min) || max != Math.Floor(max)))
            problems.Add(new(path, "the ends of an int range are whole numbers."));
        var step = Whole("step", 1, kind == "int", 1, int.MaxValue);
        var points = Whole("points", 5, kind != "int", 2, MostPoints);
        if (problems.Count == before && kind == "int" && step > max - min)
            problems.Add(new(path + ".step", string.Create(CultureInfo.InvariantCulture, $"a step of {step} is wider than the range: only {min} would be tried.")));
        if (problems.Count > before)
            return null;
        return kind switch
        {
            "int" => new IntDimension(field.Name, min, max, step),
            "float" => new FloatDimension(field.Name, min, max, points),
            _ => new LogDimension(field.Name, min, max, points, field.Type == FieldType.Integer),
        };

        int Whole(string key, int standard, bool fits, int least, int most)
        {
            if (map[key] is not { } node)
                return standard;
            if (!fits)
                problems.Add(new($"{path}.{key}", key == "step" ? "only an int range has a step; this one has points." : "an int range has a step, not points."));
            else if (int.TryParse(node.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most)
                return value;
            else
                problems.Add(new($"{path}.{key}", $"'{node}' is no whole number of {least} to {most}."));
            return standard;
        }
    }
}
