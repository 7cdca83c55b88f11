using System.Text.Json;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>Reads a JSON file of a model folder so that every damage has the file's name.</summary>
internal static class JsonFile
{
    /// <exception cref="InvalidModelException">The file is missing, no JSON, or holds values of the wrong kind.</exception>
    /// <exception cref="UnsupportedModelException">As <paramref name="read"/> says.</exception>
    public static T Read<T>(string path, Func<JsonElement, T> read)
    {
        var name = Path.GetFileName(path);
        if (!File.Exists(path))
            throw new InvalidModelException($"{name} is missing in the model folder.");
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new InvalidModelException("an object is expected.");
            return read(document.RootElement);
        }
        catch (InvalidModelException e)
        {
            throw new InvalidModelException($"{name}: {e.Message}", e);
        }
        catch (UnsupportedModelException e)
        {
            throw new UnsupportedModelException($"{name}: {e.Message}", e);
        }
        // Wrong kinds inside valid JSON surface as these from JsonElement.
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException or IndexOutOfRangeException)
        {
            throw new InvalidModelException($"{name} is malformed: {e.Message}", e);
        }
    }
}
