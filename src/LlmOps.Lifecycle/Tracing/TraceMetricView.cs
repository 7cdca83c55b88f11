using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Tracking.Search;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>What can be counted and averaged: traces, spans or assessments, and the names of their numbers and of what they can be parted by. Every text here is a constant of the statement.</summary>
/// <param name="Join">What is joined to the first span r of a trace and to what was said of it, t. The row that is counted is called x, or is the trace itself.</param>
/// <param name="At">When a row happened, in milliseconds.</param>
/// <param name="Metrics">SQL of a number, by its name; a row without the number does not count.</param>
/// <param name="Dimensions">SQL of a text, by its name.</param>
internal sealed record TraceMetricView(string Name, string Join, string At, IReadOnlyDictionary<string, string> Metrics, IReadOnlyDictionary<string, string> Dimensions)
{
    private static readonly string Paid = $"FROM spans p WHERE p.\"TraceId\" = r.\"TraceId\" AND p.\"Kind\" IN ({string.Join(", ", ReadTraces.Paid.Select(k => $"'{k}'"))})";

    private static readonly TraceMetricView Traces = new("TRACES", "", "r.\"StartedAt\"", new Dictionary<string, string>
    {
        ["trace_count"] = "1", ["latency"] = $"CASE WHEN {TraceConditions.State} <> 'IN_PROGRESS' THEN r.\"DurationMs\" END",
        ["input_tokens"] = Tokens("coalesce(r.\"InputTokens\", 0)", "p.\"InputTokens\""), ["output_tokens"] = Tokens("coalesce(r.\"OutputTokens\", 0)", "p.\"OutputTokens\""),
        ["total_tokens"] = Tokens("coalesce(r.\"InputTokens\", 0) + coalesce(r.\"OutputTokens\", 0)", "CASE WHEN p.\"InputTokens\" IS NOT NULL OR p.\"OutputTokens\" IS NOT NULL THEN coalesce(p.\"InputTokens\", 0) + coalesce(p.\"OutputTokens\", 0) END"),
    }, new Dictionary<string, string> { ["trace_name"] = TraceConditions.Name, ["trace_status"] = TraceConditions.State });

    private static readonly TraceMetricView Spans = new("SPANS", " JOIN spans x ON x.\"TraceId\" = r.\"TraceId\"", "x.\"StartedAt\"", new Dictionary<string, string>
    {
        ["span_count"] = "1", ["latency"] = "x.\"DurationMs\"", ["total_cost"] = "x.\"CostUsd\"",
    }, new Dictionary<string, string>
    {
        ["span_name"] = "x.\"Name\"", ["span_type"] = TraceConditions.Type, ["span_status"] = "CASE WHEN x.\"Error\" IS NULL THEN 'OK' ELSE 'ERROR' END", ["span_model_name"] = "x.\"Model\"", ["span_model_provider"] = "x.\"Provider\"",
    });

    private static TraceMetricView Assessments(SqlText sql) => new("ASSESSMENTS",
        $" JOIN (SELECT \"TraceId\", \"Name\", \"Kind\", \"ValueJson\", \"Number\", \"CreatedAt\" FROM assessments WHERE \"IsValid\" = {RunColumns.False(sql, not: true)} UNION ALL SELECT \"TraceId\", '{Thumbs.Name}', '{Assessment.Feedback}', CASE WHEN \"Score\" > 0 THEN 'true' ELSE 'false' END, CAST(NULL AS DOUBLE PRECISION), \"At\" FROM feedback) x ON x.\"TraceId\" = r.\"TraceId\"",
        "x.\"CreatedAt\"", new Dictionary<string, string>
        {
            ["assessment_count"] = "1", ["assessment_value"] = "CASE WHEN x.\"ValueJson\" IN ('true', '\"yes\"') THEN 1.0 WHEN x.\"ValueJson\" IN ('false', '\"no\"') THEN 0.0 ELSE x.\"Number\" END",
        }, new Dictionary<string, string> { ["assessment_name"] = "x.\"Name\"", ["assessment_value"] = "x.\"ValueJson\"" });

    public static TraceMetricView Of(string? name, SqlText sql) => TrackingKeys.Required(name, "view_type") switch
    {
        "TRACES" => Traces,
        "SPANS" => Spans,
        "ASSESSMENTS" => Assessments(sql),
        _ => throw LlmOpsException.Invalid($"view_type must be one of ['TRACES', 'SPANS', 'ASSESSMENTS'], got '{TrackingKeys.Shown(name!)}'"),
    };

    public string Metric(string? name) => Metrics.TryGetValue(TrackingKeys.Required(name, "metric_name"), out var sql) ? sql
        : throw LlmOpsException.Invalid($"metric_name must be one of [{string.Join(", ", Metrics.Keys.Select(k => $"'{k}'"))}], got '{TrackingKeys.Shown(name!)}'");

    public string Dimension(string? name) => name is not null && Dimensions.TryGetValue(name, out var sql) ? sql
        : throw LlmOpsException.Invalid($"Found invalid dimension(s): ['{TrackingKeys.Shown(name ?? "")}']. Supported dimensions: [{string.Join(", ", Dimensions.Keys.Select(k => $"'{k}'"))}]");

    /// <summary>trace.status, trace.tag.`key`, trace.metadata.`key`; and of the row that is counted span.name, span.status, span.type, assessment.name and assessment.type.</summary>
    public string Condition(Filter filter, SqlText sql) => filter switch
    {
        Filter.All all => "(" + string.Join(" AND ", all.Parts.Select(p => Condition(p, sql))) + ")",
        Filter.Any any => "(" + string.Join(" OR ", any.Parts.Select(p => Condition(p, sql))) + ")",
        Filter.Comparison c => Condition(c, sql),
        _ => throw new InvalidOperationException(filter.GetType().Name),
    };

    private string Condition(Filter.Comparison c, SqlText sql)
    {
        var (entity, key) = c.Entity?.IndexOf('.', StringComparison.Ordinal) is > 0 and var dot ? (c.Entity[..dot], $"{c.Entity[(dot + 1)..]}.{c.Key}") : (c.Entity, c.Key);
        if (entity == "trace" && !key.EndsWith('.'))
            return new TraceConditions(sql).Of(key.StartsWith("tag.", StringComparison.Ordinal) ? c with { Entity = "tag", Key = key[4..] } : key.StartsWith("metadata.", StringComparison.Ordinal) ? c with { Entity = "metadata", Key = key[9..] } : c);
        var column = (Name, entity, key) switch
        {
            ("SPANS", "span", "name" or "type" or "status") => Dimensions["span_" + key],
            ("ASSESSMENTS", "assessment", "name") => "x.\"Name\"",
            ("ASSESSMENTS", "assessment", "type") => "x.\"Kind\"",
            (_, "span", "name" or "type" or "status") => throw LlmOpsException.Invalid($"Filtering by span is only supported for SPANS view type, got {Name}"),
            (_, "assessment", "name" or "type") => throw LlmOpsException.Invalid($"Filtering by assessment is only supported for ASSESSMENTS view type, got {Name}"),
            _ => throw FilterTokens.Wrong($"'{TrackingKeys.Shown(entity is null ? key : $"{entity}.{key}")}' is no key of a metric's filter; it has trace.status, trace.tag.`key`, trace.metadata.`key`, span.name, span.status, span.type, assessment.name and assessment.type", c.Position - 1),
        };
        return c.Value is { Text: not null } or { List: not null } && c.Operator is FilterOperator.Equal or FilterOperator.NotEqual or FilterOperator.Like or FilterOperator.ILike or FilterOperator.In or FilterOperator.NotIn && c.Value.Number is null
            ? sql.Compare(column, c.Operator, c.Value) : throw FilterTokens.Wrong($"'{TrackingKeys.Shown(key)}' is compared with a quoted text by =, !=, LIKE, ILIKE, IN or NOT IN", c.Position - 1);
    }

    /// <summary>The root's own number where it has one; else that of the calls of models.</summary>
    private static string Tokens(string root, string paid) => $"CASE WHEN r.\"InputTokens\" IS NOT NULL OR r.\"OutputTokens\" IS NOT NULL THEN {root} ELSE (SELECT sum({paid}) {Paid}) END";
}
