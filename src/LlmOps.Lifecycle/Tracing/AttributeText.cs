using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace LlmOps.Lifecycle.Tracing;

/// <summary>Values of attributes as text and as JSON.</summary>
public static class AttributeText
{
    private const int MostKept = 1 << 16;
    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? written;

    /// <summary>A text as it is, anything else as JSON.</summary>
    public static string? Of(object? value) => value switch { null => null, string text => text, _ => Json(value) };

    public static string Json(object? value)
    {
        // One for each thread, unless a value was so large that it must not be kept.
        var buffer = written is { Capacity: <= MostKept } kept ? kept : written = new(1024);
        buffer.ResetWrittenCount();
        using (var writer = new Utf8JsonWriter(buffer, Relaxed))
            Write(writer, value);
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>A number that counts something: whole and not negative, also when it was sent as a text or with a point.</summary>
    public static long? Count(object? value) => value switch
    {
        long n and >= 0 => n,
        double d when d is >= 0 and < 9e15 => (long)d,
        string s when long.TryParse(s, NumberStyles.None, CultureInfo.InvariantCulture, out var n) => n,
        _ => null,
    };

    private static void Write(Utf8JsonWriter writer, object? value)
    {
        switch (value)
        {
            case null: writer.WriteNullValue(); break;
            case string text: writer.WriteStringValue(text); break;
            case bool truth: writer.WriteBooleanValue(truth); break;
            case long number: writer.WriteNumberValue(number); break;
            case double number when double.IsFinite(number): writer.WriteNumberValue(number); break;
            case double number: writer.WriteStringValue(number.ToString(CultureInfo.InvariantCulture)); break;
            case IReadOnlyDictionary<string, object?> map:
                writer.WriteStartObject();
                foreach (var (key, item) in map)
                {
                    writer.WritePropertyName(key);
                    Write(writer, item);
                }
                writer.WriteEndObject();
                break;
            case IEnumerable<object?> list:
                writer.WriteStartArray();
                foreach (var item in list)
                    Write(writer, item);
                writer.WriteEndArray();
                break;
            default: throw new ArgumentException($"A {value.GetType().Name} is no value of an attribute.");
        }
    }
}
