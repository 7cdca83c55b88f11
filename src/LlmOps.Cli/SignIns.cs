using System.Runtime.InteropServices;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;

namespace LlmOps.Cli;

/// <summary>Servers that were signed in to, with their tokens, in a file that only this user reads.</summary>
/// <param name="Current">Address that commands go to when neither --server nor LLMOPS_URL says another.</param>
internal sealed record SignIns(string? Current, Dictionary<string, string> Tokens)
{
    /// <summary>LLMOPS_CONFIG, or "llmops" in the user's configuration folder.</summary>
    public static string File => Path.Combine(Environment.GetEnvironmentVariable("LLMOPS_CONFIG") is { Length: > 0 } folder ? folder
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.ApplicationData, Environment.SpecialFolderOption.DoNotVerify), "llmops"), "sign-ins.json");

    public static SignIns Read()
    {
        if (!System.IO.File.Exists(File))
            return new(null, []);
        try
        {
            return Json.Read<SignIns>(System.IO.File.ReadAllText(File));
        }
        catch (System.Text.Json.JsonException e)
        {
            throw LlmOpsException.Invalid($"{File} cannot be read: {e.Message} Delete it and sign in again with 'llmops login'.");
        }
    }

    public void Write()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(File)!);
        var temporary = File + ".new";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        // The file is never readable for others, not even before its first byte.
        if (!RuntimeInformation.IsOSPlatform(OSPlatform.Windows))
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var writer = new StreamWriter(temporary, options))
            writer.Write(Json.Write(this));
        System.IO.File.Move(temporary, File, overwrite: true);
    }

    public SignIns With(string server, string token) => new(server, new(Tokens) { [server] = token });

    public SignIns Without(string server)
    {
        var left = Tokens.Where(t => t.Key != server).ToDictionary();
        return new(Current == server ? left.Keys.Order(StringComparer.Ordinal).FirstOrDefault() : Current, left);
    }
}
