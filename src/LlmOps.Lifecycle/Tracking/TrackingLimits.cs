using System.Buffers;
using System.Globalization;
using System.Text.RegularExpressions;

namespace LlmOps.Lifecycle.Tracking;

/// <summary>What one request may hold and how long names and values may be. The numbers and the sentences are those of the MLflow API, because clients know them.</summary>
public static partial class TrackingLimits
{
    public const int MetricsPerBatch = 1000, ParamsPerBatch = 100, TagsPerBatch = 100, EntitiesPerBatch = 1000, BatchBytes = 1_000_000;
    public const int DatasetsPerRequest = 1000;
    public const int Key = 250, ParamValue = 6000, TagValue = 8000;
    public const int ExperimentName = 500, ExperimentTagValue = 5000;
    public const int DatasetName = 500, DatasetDigest = 36, DatasetSource = 65_535, DatasetSchema = 1_048_575, DatasetProfile = 16_777_215;
    public const int InputTagKey = 255, InputTagValue = 500;
    /// <summary>Prompts are registered models whose text is a tag.</summary>
    public const int RegistryTagValue = 100_000;

    private static readonly SearchValues<char> PlainCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    /// <summary>A key is the end of a path in some stores, so it may be no path that means another one.</summary>
    public static string EnsureKey(string? key, string what, int most = Key)
    {
        if (string.IsNullOrEmpty(key))
            throw LlmOpsException.Invalid($"Missing value for required parameter 'key'. A {what} needs a name.");
        // Most names are plain words: nothing of what follows can be wrong with them.
        if (key.Length <= most && !key.AsSpan().ContainsAnyExcept(PlainCharacters))
            return key;
        if (!KeyPattern().IsMatch(key))
            throw LlmOpsException.Invalid($"Invalid {what} name: '{TrackingKeys.Shown(key)}'. Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/).");
        if (IsOtherPath(key))
            throw LlmOpsException.Invalid($"Invalid {what} name: '{TrackingKeys.Shown(key)}'. Names may be treated as files in certain cases, and must not resolve to other names when treated as such.");
        return EnsureLength(key, $"{what} key", most);
    }

    public static string EnsureLength(string value, string what, int most) => value.Length <= most ? value
        : throw LlmOpsException.Invalid(string.Create(CultureInfo.InvariantCulture, $"{what} '{TrackingKeys.Shown(value)}' had length {value.Length}, which exceeded length limit of {most}"));

    public static string EnsureText(string? value, string what, int most)
    {
        value ??= "";
        return IsStorable(value) ? EnsureLength(value, what, most) : throw LlmOpsException.Invalid($"{what} holds the character with code 0 or half a character, which no database stores in a text.");
    }

    /// <summary>Neither database stores the character 0 or half of a surrogate pair.</summary>
    public static bool IsStorable(string text)
    {
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\0' || (char.IsSurrogate(text[i]) && !(char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[++i]))))
                return false;
        }
        return true;
    }

    public static void EnsureCount(int count, int most, string entity)
    {
        if (count > most)
            throw LlmOpsException.Invalid(string.Create(CultureInfo.InvariantCulture, $"A batch logging request can contain at most {most} {entity}. Got {count} {entity}. Please split up {entity} across multiple requests and try again."));
    }

    private static bool IsOtherPath(string key) => key[0] == '/' || key[^1] == '/' || key.Split('/').Any(part => part is "" or "." or "..");

    // the colon is what newer clients allow
    [GeneratedRegex(@"^[/\w.\- :]*\z")]
    private static partial Regex KeyPattern();
}
