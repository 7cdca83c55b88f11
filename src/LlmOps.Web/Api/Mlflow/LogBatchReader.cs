using System.Globalization;
using System.Text.Json;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Web.Api.Mlflow;

/// <summary>Reads the body of log-batch without a general deserializer: it is nearly all that a server of this API reads, and has up to a thousand objects.</summary>
internal static class LogBatchReader
{
    private const int Deepest = 32;

    /// <exception cref="JsonException">The text is no JSON.</exception>
    /// <exception cref="LlmOpsException">A value is of the wrong type, is missing, or is over a limit.</exception>
    public static LogBatch Read(ReadOnlySpan<byte> body)
    {
        var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = Deepest });
        string? run = null;
        List<LoggedMetric>? metrics = null;
        List<KeyValue>? parameters = null, tags = null;
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw Wrong("");
        while (Next(ref reader))
        {
            if (reader.ValueTextEquals("run_id"u8))
                run = Text(ref reader, "run_id");
            else if (reader.ValueTextEquals("metrics"u8))
                metrics = List(ref reader, "metrics", Metric);
            else if (reader.ValueTextEquals("params"u8))
                parameters = List(ref reader, "params", Pair);
            else if (reader.ValueTextEquals("tags"u8))
                tags = List(ref reader, "tags", Pair);
            else
                reader.Skip();
        }
        // Anything behind the object is no JSON.
        while (reader.Read()) { }
        return LogBatch.Checked(TrackingKeys.Run(run), metrics, parameters, tags);
    }

    private delegate T Item<T>(ref Utf8JsonReader reader);

    /// <summary>True at the next name of the object; false at its end.</summary>
    private static bool Next(ref Utf8JsonReader reader) => reader.Read() && reader.TokenType == JsonTokenType.PropertyName;

    private static List<T>? List<T>(ref Utf8JsonReader reader, string name, Item<T> item)
    {
        reader.Read();
        if (reader.TokenType == JsonTokenType.Null)
            return null;
        if (reader.TokenType != JsonTokenType.StartArray)
            throw Wrong(name);
        var list = new List<T>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            list.Add(reader.TokenType == JsonTokenType.StartObject ? item(ref reader) : throw Wrong(name));
        return list;
    }

    private static KeyValue Pair(ref Utf8JsonReader reader)
    {
        string? key = null, value = null;
        while (Next(ref reader))
        {
            if (reader.ValueTextEquals("key"u8))
                key = Text(ref reader, "key");
            else if (reader.ValueTextEquals("value"u8))
                value = Text(ref reader, "value");
            else
                reader.Skip();
        }
        return new(TrackingKeys.Required(key, "key"), value ?? "");
    }

    private static LoggedMetric Metric(ref Utf8JsonReader reader)
    {
        string? key = null, model = null, dataset = null, digest = null;
        double? value = null;
        long? timestamp = null, step = null;
        while (Next(ref reader))
        {
            if (reader.ValueTextEquals("key"u8))
                key = Text(ref reader, "key");
            else if (reader.ValueTextEquals("value"u8))
                value = Number(ref reader);
            else if (reader.ValueTextEquals("timestamp"u8))
                timestamp = Whole(ref reader, "timestamp");
            else if (reader.ValueTextEquals("step"u8))
                step = Whole(ref reader, "step");
            else if (reader.ValueTextEquals("model_id"u8))
                model = Text(ref reader, "model_id");
            else if (reader.ValueTextEquals("dataset_name"u8))
                dataset = Text(ref reader, "dataset_name");
            else if (reader.ValueTextEquals("dataset_digest"u8))
                digest = Text(ref reader, "dataset_digest");
            else
                reader.Skip();
        }
        return MetricsApi.Of(key, value, timestamp, step, model, dataset, digest);
    }

    private static string? Text(ref Utf8JsonReader reader, string name)
    {
        reader.Read();
        try
        {
            return reader.TokenType switch
            {
                JsonTokenType.String => reader.GetString(),
                JsonTokenType.Null => null,
                JsonTokenType.Number => reader.TryGetInt64(out var whole) ? whole.ToString(CultureInfo.InvariantCulture) : reader.GetDouble().ToString("R", CultureInfo.InvariantCulture),
                JsonTokenType.True => "true",
                JsonTokenType.False => "false",
                _ => throw Wrong(name),
            };
        }
        catch (InvalidOperationException)
        {
            throw Wrong(name);      // half of a character
        }
    }

    private static double? Number(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType switch
        {
            JsonTokenType.Null => null,
            JsonTokenType.Number => reader.GetDouble(),
            JsonTokenType.String when reader.ValueTextEquals("NaN"u8) => double.NaN,
            JsonTokenType.String when reader.ValueTextEquals("Infinity"u8) => double.PositiveInfinity,
            JsonTokenType.String when reader.ValueTextEquals("-Infinity"u8) => double.NegativeInfinity,
            JsonTokenType.String when double.TryParse(reader.GetString(), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) => number,
            _ => throw Wrong("value"),
        };
    }

    private static long? Whole(ref Utf8JsonReader reader, string name)
    {
        reader.Read();
        return reader.TokenType switch
        {
            JsonTokenType.Null => null,
            JsonTokenType.Number when reader.TryGetInt64(out var whole) => whole,
            JsonTokenType.String when long.TryParse(reader.GetString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => whole,
            _ => throw Wrong(name),
        };
    }

    private static LlmOpsException Wrong(string name) => LlmOpsException.Invalid($"Invalid value for parameter '{name}' supplied: it has another type than this address takes.");
}
