using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace LlmOps.Lifecycle.Promotion.Attestations;

/// <summary>What to check, as files of this machine.</summary>
/// <param name="Envelope">One envelope, or the history of an alias with one envelope a line.</param>
/// <param name="Keys">Public keys in PEM form; a history that spans a rotation needs them all.</param>
/// <param name="Artifact">Folder with the files of the variant, or of the form that <paramref name="Form"/> names.</param>
/// <param name="Bundle">The evidence as it was downloaded.</param>
public sealed record AttestationFiles(string Envelope, IReadOnlyList<string> Keys, string? Artifact = null, string? Form = null, string? Bundle = null);

/// <summary>The check of <c>llmops verify</c>. It reads what it is given, up to a size, and nothing else.</summary>
/// <remarks>An <see cref="LlmOpsException"/> says that an input cannot be used; a report with mismatches, that it can be and is not as it was signed.</remarks>
public static class VerifyAttestationFiles
{
    public const int MostKeyBytes = 64 << 10;
    public const int MostBundleBytes = 64 << 20;
    public const int MostHistoryBytes = 256 << 20;

    public static AttestationReport Verify(AttestationFiles files)
    {
        if (files.Keys.Count == 0)
            throw LlmOpsException.Invalid("Name the public key with --key. Get it from the server's administrator, and not from where the envelope came from.");
        var keys = new List<ECDsa>();
        try
        {
            foreach (var path in files.Keys)
                keys.Add(PublicKey(path));
            var envelopes = Envelopes(files.Envelope);
            var reports = envelopes.Select(e => VerifyAttestation.Signature(e, keys)).ToList();
            var many = reports.Count > 1;
            var mismatches = reports.SelectMany((r, i) => r.Mismatches.Select(m => many ? $"Statement {i + 1}: {m}" : m)).ToList();
            var done = new List<string> { many ? $"the signatures of {reports.Count} statements" : "the signature" };
            if (many && reports.All(r => r.Statement is not null))
            {
                mismatches.AddRange(VerifyAttestation.History([.. reports.Zip(envelopes, (r, e) => (e.StatementDigest(), r.Statement!.Predicate))]));
                done.Add("that each statement follows the one before it");
            }
            // The last statement is the one in force.
            if (reports[^1].Statement is { } statement)
                Compare(files, statement, mismatches, done);
            return new(mismatches, done, reports[^1].Statement);
        }
        finally
        {
            foreach (var key in keys)
                key.Dispose();
        }
    }

    private static void Compare(AttestationFiles files, PromotionStatement statement, List<string> mismatches, List<string> done)
    {
        if (files.Bundle is { } bundle)
        {
            if (VerifyAttestation.Bundle(statement, Read(bundle, MostBundleBytes)) is { } changed)
                mismatches.Add(changed);
            done.Add("the evidence bundle");
        }
        if (files.Artifact is not { } folder)
            return;
        if (!Directory.Exists(folder))
            throw LlmOpsException.NotFound("Folder", folder);
        var form = files.Form ?? statement.Predicate.Variant;
        try
        {
            mismatches.AddRange(VerifyAttestation.Folder(statement, form, folder));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw LlmOpsException.Invalid($"The folder cannot be read: {e.Message}");
        }
        done.Add($"{statement.FilesOf(form).Count} files of {form}");
    }

    private static List<Envelope> Envelopes(string path)
    {
        var text = Encoding.UTF8.GetString(Read(path, MostHistoryBytes)).TrimStart('\uFEFF');
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return lines.Length > 1 && IsWhole(lines[0]) ? [.. lines.Select(Envelope.Parse)] : [Envelope.Parse(text)];
    }

    /// <summary>One JSON object a line, and not one object over several lines.</summary>
    private static bool IsWhole(string line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static ECDsa PublicKey(string path)
    {
        var pem = Encoding.UTF8.GetString(Read(path, MostKeyBytes));
        if (pem.Contains("PRIVATE KEY", StringComparison.Ordinal))
            throw LlmOpsException.Invalid($"{path} holds a private key. To check a statement takes the public one; keep the private one where it signs.");
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(pem);
            return key;
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            key.Dispose();
            throw LlmOpsException.Invalid($"{path} holds no public ECDSA key in PEM form.");
        }
    }

    private static byte[] Read(string path, int most)
    {
        try
        {
            var length = File.Exists(path) ? new FileInfo(path).Length : throw LlmOpsException.NotFound("File", path);
            if (length > most)
                throw LlmOpsException.Invalid($"{path} is larger than {most >> 10} KiB, so it is not what it should be.");
            // A pipe has no length and may never end.
            return length > 0 ? File.ReadAllBytes(path) : throw LlmOpsException.Invalid($"{path} is empty, or no plain file.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw LlmOpsException.Invalid($"{path} cannot be read: {e.Message}");
        }
    }
}
