using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Pipelines.Stages;

namespace LlmOps.Lifecycle.Sweeps.Search;

/// <summary>Everything a sweep may try: a point has one value for each dimension, in their order.</summary>
public sealed record SearchSpace(IReadOnlyList<SearchDimension> Dimensions)
{
    /// <summary>More are never counted out: the answer would be "far too many" all the same.</summary>
    public const long Countless = long.MaxValue;

    /// <summary>How many points a grid has.</summary>
    public long GridSize()
    {
        double product = 1;
        foreach (var dimension in Dimensions)
            product *= dimension.Grid().Count;
        return product >= 1e15 ? Countless : (long)product;
    }

    /// <summary>The point of that index; the last dimension changes fastest.</summary>
    public IReadOnlyList<string> GridPoint(long index)
    {
        var point = new string[Dimensions.Count];
        for (var d = Dimensions.Count - 1; d >= 0; d--)
        {
            var values = Dimensions[d].Grid();
            point[d] = values[(int)(index % values.Count)];
            index /= values.Count;
        }
        return point;
    }

    /// <summary>The point as parameters of the stage, each in its own type.</summary>
    public JsonObject Parameters(StageKind kind, IReadOnlyList<string> point)
    {
        var fields = StageFields.Of(kind).ToDictionary(f => f.Name);
        return new(Dimensions.Select((d, i) => KeyValuePair.Create(d.Name, Typed(fields[d.Name].Type, point[i]))));
    }

    /// <summary>The point that such parameters are; null when one is missing, as after a change of the space.</summary>
    public IReadOnlyList<string>? PointOf(JsonObject parameters)
    {
        var point = new string[Dimensions.Count];
        for (var d = 0; d < point.Length; d++)
        {
            if (parameters[Dimensions[d].Name] is not { } value)
                return null;
            point[d] = value.GetValueKind() switch
            {
                System.Text.Json.JsonValueKind.Number => SearchDimension.Text(value.GetValue<double>()),
                System.Text.Json.JsonValueKind.True => "true",
                System.Text.Json.JsonValueKind.False => "false",
                _ => value.ToString(),
            };
        }
        return point;
    }

    private static JsonNode? Typed(FieldType type, string text) => type switch
    {
        FieldType.Integer => JsonValue.Create((long)SearchDimension.Number(text)),
        FieldType.Number => JsonValue.Create(SearchDimension.Number(text)),
        FieldType.Flag => JsonValue.Create(bool.Parse(text)),
        _ => JsonValue.Create(text),
    };
}
