using LlmOps.Lifecycle.Tracking;

namespace LlmOps.Lifecycle.Artifacts;

/// <summary>
/// A path that a client chose. It is a key of a table and never a path of the file system; all the same, whatever could mean another path somewhere else is refused,
/// in every spelling, because the client's side does write files by these names.
/// </summary>
/// <param name="Root">The folder of one run or logged model, up to and including "artifacts"; empty for other paths.</param>
/// <param name="Path">Relative to the root; empty for the root itself.</param>
public sealed record ArtifactPath(string Root, string Path)
{
    private const int Longest = 1000, DeepestRoot = 6;
    private const string Marker = "artifacts";

    public string Full => Root.Length == 0 ? Path : Path.Length == 0 ? Root : $"{Root}/{Path}";

    public static ArtifactPath ParseFile(string? text) => Parse(text) is { Path.Length: > 0 } path ? path : throw Refused(text ?? "");

    /// <summary>Of a folder; the empty text is the top.</summary>
    public static ArtifactPath Parse(string? text)
    {
        var path = text ?? "";
        if (path.Length == 0)
            return new("", "");
        // What is decoded once more somewhere must not become another path there.
        var decoded = path;
        for (var i = 0; i < 4; i++)
        {
            EnsureSafe(decoded, path);
            var again = Uri.UnescapeDataString(decoded);
            if (again == decoded)
                break;
            decoded = again;
        }
        if (path.Length > Longest)
            throw LlmOpsException.Invalid($"The path has {path.Length} characters; {Longest} are allowed.");
        var parts = path.Split('/');
        var marker = Array.IndexOf(parts, Marker, 0, Math.Min(parts.Length, DeepestRoot));
        return marker < 0 ? new("", path) : new(string.Join('/', parts[..(marker + 1)]), string.Join('/', parts[(marker + 1)..]));
    }

    /// <summary>A path behind another one, both from a client.</summary>
    public static ArtifactPath Within(string root, string? path) => string.IsNullOrEmpty(path) ? Parse(root) : Parse($"{root}/{EnsureRelative(path)}");

    private static string EnsureRelative(string path)
    {
        EnsureSafe(path, path);
        return path;
    }

    private static void EnsureSafe(string path, string shown)
    {
        var odd = path.Contains('\\', StringComparison.Ordinal) || path.Any(char.IsControl) || !TrackingLimits.IsStorable(path) || (path.Length > 1 && path[1] == ':' && char.IsAsciiLetter(path[0]))
            || path.Split('/').Any(part => part is "" or "." or ".." || part.All(c => c is '.' or ' ' || IsDot(c)));
        if (odd)
            throw Refused(shown);
    }

    // Dots of other scripts, which some file systems and proxies fold into the plain one.
    private static bool IsDot(char c) => c is '\uFF0E' or '\u2024' or '\u2025' or '\u2026';

    private static LlmOpsException Refused(string path) => LlmOpsException.Invalid($"Invalid path: '{TrackingKeys.Shown(path)}'. A path is relative, and has no '..', no backslash and no empty part.");
}
