using System.Globalization;
using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Registry;

/// <summary>"name/number": how a version is named in YAML, URLs and messages.</summary>
public sealed record VersionKey(string Name, int Number)
{
    public static VersionKey Parse(string text)
    {
        var slash = text.LastIndexOf('/');
        return slash > 0 && int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0
            ? new VersionKey(ModelName.Parse(text[..slash]), number)
            : throw LlmOpsException.Invalid($"'{text}' names no version. Write it as name/number, for example quickstart-lm/3.");
    }

    /// <summary>The same for any registered model: names that clients of the MLflow API give may have capitals and spaces.</summary>
    public static VersionKey ParseRegistered(string text)
    {
        var slash = text.LastIndexOf('/');
        return slash > 0 ? new VersionKey(RegisteredName.Parse(text[..slash]), RegisteredName.ParseNumber(text[(slash + 1)..])) : Parse(text);
    }

    public override string ToString() => $"{Name}/{Number.ToString(CultureInfo.InvariantCulture)}";
}

public static partial class ModelName
{
    public static string Parse(string text) => Problem(text) is { } problem ? throw LlmOpsException.Invalid(problem) : text;

    /// <summary>Why the text is no name, or null when it is one.</summary>
    public static string? Problem(string text) => Pattern().IsMatch(text) ? null
        : $"'{text}' is no usable name. Use 1 to 100 lower-case letters, digits, dots, dashes and underscores, beginning with a letter or digit.";

    [GeneratedRegex("^[a-z0-9][a-z0-9._-]{0,99}$")]
    private static partial Regex Pattern();
}

public static partial class AliasName
{
    public static string Parse(string text) => Problem(text) is { } problem ? throw LlmOpsException.Invalid(problem) : text;

    /// <summary>Why the text is no alias, or null when it is one.</summary>
    public static string? Problem(string text) => Pattern().IsMatch(text) ? null
        : $"'{text}' is no usable alias. Use 1 to 50 lower-case letters, digits, dashes and underscores, beginning with a letter.";

    [GeneratedRegex("^[a-z][a-z0-9_-]{0,49}$")]
    private static partial Regex Pattern();
}

public static class VersionQueries
{
    public static async Task<ModelVersion> GetAsync(this DbSet<ModelVersion> versions, VersionKey key, CancellationToken ct = default) =>
        await versions.Include(v => v.Model).SingleOrDefaultAsync(v => v.Model!.Name == key.Name && v.Number == key.Number, ct)
            ?? throw LlmOpsException.NotFound("Model version", key);

    public static VersionKey Key(this ModelVersion version) =>
        new((version.Model ?? throw new InvalidOperationException("The version was loaded without its model.")).Name, version.Number);
}
