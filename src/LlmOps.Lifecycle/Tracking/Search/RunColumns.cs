namespace LlmOps.Lifecycle.Tracking.Search;

/// <summary>What the keys of a filter or an order mean for the table of runs, which is called r in the statement.</summary>
internal static class RunColumns
{
    public enum Entity { Attribute, Metric, Param, Tag, Dataset }

    public static Entity EntityOf(string? word) => word?.ToLowerInvariant() switch
    {
        null or "attribute" or "attributes" or "attr" or "run" => Entity.Attribute,
        "metric" or "metrics" => Entity.Metric,
        "param" or "params" or "parameter" or "parameters" => Entity.Param,
        "tag" or "tags" => Entity.Tag,
        "dataset" or "datasets" => Entity.Dataset,
        _ => throw LlmOpsException.Invalid($"Invalid entity type '{TrackingKeys.Shown(word)}'. Valid values are metric, parameter, tag, attribute and dataset."),
    };

    public static string Condition(SqlText sql, Filter.Comparison c) => EntityOf(c.Entity) switch
    {
        Entity.Metric => Exists("latest_metrics", sql, c.Key, Number(sql, c, "x.\"Value\"", orNan: true), c.Operator),
        Entity.Param => Exists("params", sql, c.Key, Text(sql, c, "param"), c.Operator),
        Entity.Tag => Exists("run_tags", sql, c.Key, Text(sql, c, "tag"), c.Operator),
        Entity.Dataset => Dataset(sql, c),
        _ => Attribute(sql, c),
    };

    /// <summary>Parameters and tags are compared by the index first; see <see cref="IndexedText"/>.</summary>
    private static string Text(SqlText sql, Filter.Comparison c, string what)
    {
        if (c.Operator is FilterOperator.IsNull or FilterOperator.IsNotNull)
            return "";
        EnsureText(c, what, allowList: true);
        return " AND " + (c.Operator == FilterOperator.Equal ? HasText(sql, "x", c.Value.Text!) : sql.Compare("x.\"Value\"", c.Operator, c.Value));
    }

    /// <summary>A beginning that is shorter than the index holds is the whole value, and the index alone answers.</summary>
    public static string HasText(SqlText sql, string table, string value) =>
        $"{table}.\"Head\" = {sql.Value(IndexedText.Head(value))}{(value.Length < IndexedText.Length - 1 ? "" : $" AND {table}.\"Value\" = {sql.Value(value)}")}";

    private static string Number(SqlText sql, Filter.Comparison c, string column, bool orNan)
    {
        if (c.Operator is FilterOperator.IsNull or FilterOperator.IsNotNull)
            return "";
        if (!c.Operator.IsOrder())
            throw Wrong(c, $"Invalid comparator '{c.Operator.Text()}' for a metric; it takes =, !=, >, >=, < and <=");
        if (c.Value.Number is null)
            throw Wrong(c, $"Expected numeric value type for metric. Found '{TrackingKeys.Shown(c.Value.Text ?? "")}'");
        var compare = sql.Compare(column, c.Operator, c.Value);
        // no number is another number than every number, and neither more nor less
        return orNan && c.Operator == FilterOperator.NotEqual ? $" AND (x.\"IsNan\" = {False(sql, not: true)} OR {compare})" : $" AND x.\"IsNan\" = {False(sql)} AND {compare}";
    }

    public static string False(SqlText sql, bool not = false) => (sql.IsPostgres, not) switch { (true, false) => "FALSE", (true, true) => "TRUE", (_, false) => "0", _ => "1" };

    private static string Exists(string table, SqlText sql, string key, string condition, FilterOperator op) =>
        $"{(op == FilterOperator.IsNull ? "NOT " : "")}EXISTS (SELECT 1 FROM {table} x WHERE x.\"RunId\" = {sql.RunId} AND x.\"Key\" = {sql.Value(key)}{condition})";

    private static string Dataset(SqlText sql, Filter.Comparison c)
    {
        var column = c.Key.ToLowerInvariant() switch
        {
            "name" => "s.\"Name\"",
            "digest" => "s.\"Digest\"",
            "context" => "x.\"Context\"",
            _ => throw Wrong(c, $"Invalid dataset key '{TrackingKeys.Shown(c.Key)}'; it is name, digest or context"),
        };
        EnsureText(c, "dataset", allowList: true);
        return $"EXISTS (SELECT 1 FROM run_datasets x JOIN logged_datasets s ON s.\"Id\" = x.\"DatasetId\" WHERE x.\"RunId\" = {sql.RunId} AND {sql.Compare(column, c.Operator, c.Value)})";
    }

    private static string Attribute(SqlText sql, Filter.Comparison c)
    {
        switch (AttributeKey(c.Key))
        {
            case "start_time":
                return TimeCondition(sql, c, "r.\"StartedAt\"");
            case "end_time":
                return TimeCondition(sql, c, "r.\"EndedAt\"");
            case "status":
                EnsureText(c, "attribute", allowList: true);
                var states = RunStates.ByWord.Where(s => SqlText.Matches(s.Key, c.Operator, c.Value)).Select(s => (object)s.Value.ToString()).ToList();
                return states.Count == 0 ? "1 = 0" : $"r.\"State\" IN {sql.List(states)}";
            case "run_id":
                return RunId(sql, c);
            case "run_name":
                EnsureText(c, "attribute", allowList: true);
                return sql.Compare("r.\"Name\"", c.Operator, c.Value);
            case "user_id":
                EnsureText(c, "attribute", allowList: true);
                return sql.Compare("r.\"CreatedBy\"", c.Operator, c.Value);
            default:
                EnsureText(c, "attribute", allowList: true);
                return sql.Compare(ArtifactUri(sql), c.Operator, c.Value);
        }
    }

    private static string AttributeKey(string key) => key.ToLowerInvariant() switch
    {
        "start_time" or "created" or "start time" => "start_time",
        "end_time" or "end time" => "end_time",
        "status" => "status",
        "run_id" or "run_uuid" or "run id" => "run_id",
        "run_name" or "run name" => "run_name",
        "user_id" or "user" => "user_id",
        "artifact_uri" or "artifact uri" => "artifact_uri",
        _ => throw LlmOpsException.Invalid($"Invalid attribute key '{TrackingKeys.Shown(key)}' specified. Valid keys are run_id, run_name, status, artifact_uri, user_id, start_time, end_time and created; metrics, parameters and tags need their prefix."),
    };

    public static bool IsStart(string key) => AttributeKey(key) == "start_time";

    public static bool IsTime(string key) => AttributeKey(key) is "start_time" or "end_time";

    private static string TimeCondition(SqlText sql, Filter.Comparison c, string column)
    {
        if (!c.Operator.IsOrder())
            throw Wrong(c, $"Invalid comparator '{c.Operator.Text()}' for a time; it takes =, !=, >, >=, < and <=");
        return c.Value.Number is { } number ? $"{column} {c.Operator.Text()} {sql.Value(Whole(number))}" : throw Wrong(c, "a time is a number of milliseconds since 1970");
    }

    /// <summary>A fraction stays one; what is a whole number is compared as one, so that the index is used.</summary>
    private static object Whole(double number) => number == Math.Floor(number) && Math.Abs(number) < 9e15 ? (long)number : number;

    private static string RunId(SqlText sql, Filter.Comparison c)
    {
        EnsureText(c, "attribute", allowList: true);
        if (c.Operator is FilterOperator.Like or FilterOperator.ILike)
            return sql.Compare(Hex(sql, "r.\"Id\""), c.Operator, c.Value);
        var ids = (c.Value.List ?? [c.Value.Text!]).Select(t => Guid.TryParseExact(t, "N", out var id) ? id : (Guid?)null).OfType<Guid>().Cast<object>().ToList();
        var not = c.Operator is FilterOperator.NotIn or FilterOperator.NotEqual;
        return ids.Count == 0 ? (not ? "1 = 1" : "1 = 0") : $"r.\"Id\" {(not ? "NOT IN" : "IN")} {sql.List(ids)}";
    }

    private static string Hex(SqlText sql, string column) => sql.IsPostgres ? $"replace({column}::text, '-', '')" : $"lower(replace({column}, '-', ''))";

    private static string ArtifactUri(SqlText sql)
    {
        var experiment = $"CASE WHEN r.\"ExperimentId\" = {sql.Value(TrackingKeys.DefaultExperimentId)} THEN '0' ELSE {Hex(sql, "r.\"ExperimentId\"")} END";
        return $"(SELECT coalesce(e.\"ArtifactLocation\", 'mlflow-artifacts:/' || {experiment}) || '/' || {Hex(sql, "r.\"Id\"")} || '/artifacts' FROM experiments e WHERE e.\"Id\" = r.\"ExperimentId\")";
    }

    private static void EnsureText(Filter.Comparison c, string what, bool allowList)
    {
        var fits = c.Operator is FilterOperator.Equal or FilterOperator.NotEqual or FilterOperator.Like or FilterOperator.ILike || (allowList && c.Operator is FilterOperator.In or FilterOperator.NotIn);
        if (!fits)
            throw Wrong(c, $"Invalid comparator '{c.Operator.Text()}' for a {what}; it takes =, !=, LIKE, ILIKE, IN and NOT IN");
        if (c.Value is { Text: null, List: null })
            throw Wrong(c, $"Expected a quoted string value for {what} '{TrackingKeys.Shown(c.Key)}'");
        if (c.Value.Text?.Length > 1000 && c.Operator is FilterOperator.Like or FilterOperator.ILike)
            throw Wrong(c, "a pattern has more than 1000 characters");
    }

    private static LlmOpsException Wrong(Filter.Comparison c, string what) => FilterTokens.Wrong(what, c.Position - 1);

    /// <summary>What a run is sorted by: whether it has the value at all, then the value. Neither is ever null, so that a page can begin behind the last one.</summary>
    public static (string Missing, string Value) Order(SqlText sql, OrderItem item)
    {
        var key = item.Key;
        switch (EntityOf(item.Entity))
        {
            case Entity.Metric:
                var metric = $"FROM latest_metrics x WHERE x.\"RunId\" = {sql.RunId} AND x.\"Key\" = {sql.Value(key)}";
                return ($"coalesce((SELECT CASE WHEN x.\"IsNan\" = {False(sql)} THEN 0 ELSE 1 END {metric}), 2)", $"coalesce((SELECT x.\"Value\" {metric}), 0)");
            case Entity.Param or Entity.Tag:
                var text = $"FROM {(EntityOf(item.Entity) == Entity.Param ? "params" : "run_tags")} x WHERE x.\"RunId\" = {sql.RunId} AND x.\"Key\" = {sql.Value(key)}";
                return ($"CASE WHEN EXISTS (SELECT 1 {text}) THEN 0 ELSE 1 END", $"coalesce((SELECT x.\"Value\" {text}), '')");
            case Entity.Dataset:
                throw LlmOpsException.Invalid("Runs cannot be ordered by a dataset.");
        }
        return AttributeKey(key) switch
        {
            "start_time" => ("0", "r.\"StartedAt\""),
            "end_time" => ("CASE WHEN r.\"EndedAt\" IS NULL THEN 1 ELSE 0 END", "coalesce(r.\"EndedAt\", 0)"),
            "status" => ("0", $"CASE r.\"State\" {string.Concat(RunStates.ByWord.Select(s => $"WHEN '{s.Value}' THEN '{s.Key}' "))}END"),
            "run_id" => ("0", Hex(sql, "r.\"Id\"")),
            "run_name" => ("0", "r.\"Name\""),
            "user_id" => ("0", "r.\"CreatedBy\""),
            _ => ("0", ArtifactUri(sql)),
        };
    }
}
