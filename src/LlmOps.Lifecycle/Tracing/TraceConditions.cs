using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Tracking;
using LlmOps.Lifecycle.Tracking.Search;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>What the keys of a filter mean for a trace whose first span is r and of which a client may have said t.</summary>
internal sealed class TraceConditions(SqlText sql)
{
    public const string State = "coalesce(t.\"State\", CASE WHEN r.\"ParentSpanId\" IS NOT NULL THEN 'IN_PROGRESS' WHEN r.\"Error\" IS NULL THEN 'OK' ELSE 'ERROR' END)";
    public const string Name = "coalesce((SELECT n.\"Value\" FROM trace_tags n WHERE n.\"TraceId\" = r.\"TraceId\" AND NOT n.\"IsMetadata\" AND n.\"Key\" = 'mlflow.traceName'), r.\"Name\")";

    /// <summary>Of a span that is called x.</summary>
    public static readonly string Type = $"CASE x.\"Kind\" {string.Join(' ', MlflowAttributes.Types.DistinctBy(t => t.Kind).Select(t => $"WHEN '{t.Kind}' THEN '{t.Type}'"))} ELSE upper(x.\"Kind\") END";

    public string Of(Filter filter) => filter switch
    {
        Filter.All all => "(" + string.Join(" AND ", all.Parts.Select(Of)) + ")",
        Filter.Any any => "(" + string.Join(" OR ", any.Parts.Select(Of)) + ")",
        Filter.Comparison c => Comparison(c),
        _ => throw new InvalidOperationException(filter.GetType().Name),
    };

    private string Comparison(Filter.Comparison c) => c.Entity?.ToLowerInvariant() switch
    {
        null or "attribute" or "attributes" or "attr" or "trace" => Attribute(c),
        "tag" or "tags" => c.Key == LogTrace.Name ? Text(Name, c) : Tag(c, isMetadata: false, null),
        "metadata" or "request_metadata" or "trace_metadata" => c.Key switch
        {
            LogTrace.SourceRun => Run(c),
            LogTrace.Session => Tag(c, true, "r.\"SessionId\""),
            LogTrace.User => Tag(c, true, "r.\"UserName\""),
            _ => Tag(c, true, null),
        },
        "span" => Span(c),
        "feedback" => Assessed(c, Assessment.Feedback),
        "expectation" => Assessed(c, Assessment.Expectation),
        _ => throw Wrong(c, $"Invalid entity type '{TrackingKeys.Shown(c.Entity!)}'"),
    };

    private string Attribute(Filter.Comparison c) => c.Key.ToLowerInvariant() switch
    {
        "status" or "state" => Text(State, c),
        "timestamp" or "timestamp_ms" or "request_time" => Number("r.\"StartedAt\"", c),
        "execution_time" or "execution_time_ms" or "execution_duration" => Number("r.\"DurationMs\"", c),
        "name" => Text(Name, c),
        "request_id" or "trace_id" => Id(c),
        "client_request_id" => Text("coalesce(t.\"ClientRequestId\", '')", c),
        "run_id" => Run(c),
        "text" => Content(c),
        _ => throw Wrong(c, $"Invalid attribute key '{TrackingKeys.Shown(c.Key)}' specified; valid keys are status, timestamp_ms, execution_time_ms, name, request_id, client_request_id, run_id and text, and tags, metadata, span, feedback and expectation with their prefix"),
    };

    private string Id(Filter.Comparison c)
    {
        if (c.Operator is FilterOperator.Like or FilterOperator.ILike)
            return Text("('tr-' || r.\"TraceId\")", c);
        EnsureText(c);
        var value = c.Value.List is { } list ? new FilterValue(List: [.. list.Select(Digits)]) : new FilterValue(Text: Digits(c.Value.Text!));
        return sql.Compare("r.\"TraceId\"", c.Operator, value);
    }

    private static string Digits(string text) => TraceKeys.Find(text) ?? text;

    /// <summary>Begun by the run, or linked with it afterwards.</summary>
    private string Run(Filter.Comparison c)
    {
        if (c.Operator is FilterOperator.Like or FilterOperator.ILike)
            throw Wrong(c, "a run is compared by =, !=, IN and NOT IN");
        EnsureText(c);
        var ids = c.Value.List ?? [c.Value.Text!];
        if (ids.Count == 0)
            throw Wrong(c, "the list is empty");
        var known = ids.Select(t => Guid.TryParse(t, out var id) ? id : (Guid?)null).OfType<Guid>().ToList();
        var began = $"EXISTS (SELECT 1 FROM trace_tags x WHERE x.\"TraceId\" = r.\"TraceId\" AND x.\"Key\" = {sql.Value(LogTrace.SourceRun)} AND x.\"Value\" IN {sql.List(ids)})";
        var linked = known.Count == 0 ? "" : $" OR EXISTS (SELECT 1 FROM run_traces x WHERE x.\"TraceId\" = r.\"TraceId\" AND {sql.OneOf("x.\"RunId\"", known)})";
        return $"{(c.Operator is FilterOperator.NotEqual or FilterOperator.NotIn ? "NOT " : "")}({began}{linked})";
    }

    /// <param name="otherwise">A column that says the same where no client did.</param>
    private string Tag(Filter.Comparison c, bool isMetadata, string? otherwise)
    {
        var row = $"EXISTS (SELECT 1 FROM trace_tags x WHERE x.\"TraceId\" = r.\"TraceId\" AND x.\"Key\" = {sql.Value(c.Key)} AND x.\"IsMetadata\" = {sql.Value(isMetadata)}";
        if (c.Operator is FilterOperator.IsNull or FilterOperator.IsNotNull)
            return $"{(c.Operator == FilterOperator.IsNull ? "NOT " : "")}({row}){(otherwise is null ? "" : $" OR {otherwise} IS NOT NULL")})";
        EnsureText(c);
        var head = c.Operator == FilterOperator.Equal ? $" AND x.\"Head\" = {sql.Value(IndexedText.Head(c.Value.Text!))}" : "";
        return $"({row}{head} AND {sql.Compare("x.\"Value\"", c.Operator, c.Value)}){(otherwise is null ? "" : $" OR {sql.Compare(otherwise, c.Operator, c.Value)}")})";
    }

    private string Span(Filter.Comparison c)
    {
        const string Row = "EXISTS (SELECT 1 FROM spans x WHERE x.\"TraceId\" = r.\"TraceId\" AND ";
        return c.Key.ToLowerInvariant() switch
        {
            "type" => $"{Row}{Text(Type, c)})",
            "name" => $"{Row}{Text("x.\"Name\"", c)})",
            "status" => $"{Row}{Text("CASE WHEN x.\"Error\" IS NULL THEN 'OK' ELSE 'ERROR' END", c)})",
            "content" => Content(c),
            _ => throw Wrong(c, $"Invalid span key '{TrackingKeys.Shown(c.Key)}' specified; valid keys are type, name, status and content"),
        };
    }

    private string Content(Filter.Comparison c)
    {
        if (c.Operator is not (FilterOperator.Equal or FilterOperator.Like or FilterOperator.ILike))
            throw Wrong(c, "the content of spans is compared by =, LIKE and ILIKE");
        EnsureText(c);
        string[] columns = ["x.\"Name\"", "x.\"Input\"", "x.\"Output\"", "x.\"AttributesJson\""];
        return $"EXISTS (SELECT 1 FROM spans x WHERE x.\"TraceId\" = r.\"TraceId\" AND ({string.Join(" OR ", columns.Select(column => sql.Compare(column, c.Operator, c.Value)))}))";
    }

    private string Assessed(Filter.Comparison c, string kind)
    {
        var isThumbs = kind == Assessment.Feedback && c.Key == Thumbs.Name;
        var row = $"EXISTS (SELECT 1 FROM assessments x WHERE x.\"TraceId\" = r.\"TraceId\" AND x.\"Kind\" = {sql.Value(kind)} AND x.\"IsValid\" = {RunColumns.False(sql, not: true)} AND x.\"Name\" = {sql.Value(c.Key)}";
        var thumbs = "EXISTS (SELECT 1 FROM feedback f WHERE f.\"TraceId\" = r.\"TraceId\"";
        if (c.Operator is FilterOperator.IsNull or FilterOperator.IsNotNull)
            return $"{(c.Operator == FilterOperator.IsNull ? "NOT " : "")}({row}){(isThumbs ? $" OR {thumbs})" : "")})";
        if (c.Value.Number is { } number && c.Operator.IsOrder())
            return $"{row} AND x.\"Number\" {c.Operator.Text()} {sql.Value(number)})";
        EnsureText(c);
        if (isThumbs)
            return $"{thumbs} AND {sql.Compare("CASE WHEN f.\"Score\" > 0 THEN 'true' ELSE 'false' END", c.Operator, c.Value)})";
        // What is longer than the index holds is compared whole.
        var column = (c.Value.Text?.Length ?? c.Value.List!.Max(v => v.Length)) > IndexedText.Length ? "x.\"ValueJson\"" : "x.\"ValueText\"";
        var value = column == "x.\"ValueText\"" ? c.Value : c.Value.List is { } list ? new FilterValue(List: [.. list.Select(v => Json.Write(v))]) : new FilterValue(Text: Json.Write(c.Value.Text!));
        return $"{row} AND {sql.Compare(column, c.Operator, value)})";
    }

    private string Text(string column, Filter.Comparison c)
    {
        EnsureText(c);
        return sql.Compare(column, c.Operator, c.Value);
    }

    private string Number(string column, Filter.Comparison c) => c.Operator.IsOrder() && c.Value.Number is { } number ? $"{column} {c.Operator.Text()} {sql.Value(number)}"
        : throw Wrong(c, $"'{TrackingKeys.Shown(c.Key)}' is compared with a number of milliseconds by =, !=, >, >=, < or <=");

    private static void EnsureText(Filter.Comparison c)
    {
        if (c.Operator is not (FilterOperator.Equal or FilterOperator.NotEqual or FilterOperator.Like or FilterOperator.ILike or FilterOperator.In or FilterOperator.NotIn))
            throw Wrong(c, $"Invalid comparator '{c.Operator.Text()}' for '{TrackingKeys.Shown(c.Key)}'; it takes =, !=, LIKE, ILIKE, IN and NOT IN");
        if (c.Value is { Text: null, List: null })
            throw Wrong(c, $"'{TrackingKeys.Shown(c.Key)}' is compared with a quoted text");
        if (c.Value.Text?.Length > 1000 && c.Operator is FilterOperator.Like or FilterOperator.ILike && c.Value.Text?.Length > 1000)
            throw Wrong(c, "a pattern has more than 1000 characters");
    }

    private static LlmOpsException Wrong(Filter.Comparison c, string what) => FilterTokens.Wrong(what, c.Position - 1);
}
