using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Data;

namespace LlmOps.Lifecycle.Promotion.Attestations;

/// <param name="Mismatches">What is not as it was signed, one sentence each; empty when all is.</param>
/// <param name="Checked">What was compared.</param>
/// <param name="Statement">What the envelope says. Believe it only when there is no mismatch.</param>
public sealed record AttestationReport(IReadOnlyList<string> Mismatches, IReadOnlyList<string> Checked, PromotionStatement? Statement)
{
    public bool IsGood => Mismatches.Count == 0;
}

/// <summary>Checks a statement with a public key and nothing else: no database, no server. Whoever verifies must have got the key in another way than the envelope.</summary>
public static class VerifyAttestation
{
    private static readonly string Empty = Convert.ToHexStringLower(SHA256.HashData([]));

    /// <exception cref="LlmOpsException">The signature fits, but what is signed is no promotion.</exception>
    public static AttestationReport Signature(Envelope envelope, IReadOnlyList<ECDsa> keys)
    {
        var isGood = keys.Any(envelope.IsSignedBy);
        PromotionStatement? statement = null;
        var mismatches = new List<string>();
        if (!isGood)
            mismatches.Add(SignatureWords(envelope, keys));
        try
        {
            statement = envelope.PayloadType == Envelope.InToto ? PromotionStatement.Parse(envelope.Statement()) : throw LlmOpsException.Invalid($"The payload's type is '{envelope.PayloadType}', not {Envelope.InToto}.");
        }
        catch (LlmOpsException e) when (!isGood)
        {
            mismatches.Add(e.Message);
        }
        return new(mismatches, ["the signature"], statement);
    }

    /// <summary>The bundle of evidence as it was downloaded, or the same JSON laid out in another way.</summary>
    public static string? Bundle(PromotionStatement statement, byte[] bundle)
    {
        var digest = Convert.ToHexStringLower(SHA256.HashData(bundle));
        if (digest != statement.Predicate.EvidenceDigest && Canonical(bundle) is { } text)
            digest = CanonicalJson.Digest(text) is var canonical && canonical == statement.Predicate.EvidenceDigest ? canonical : digest;
        return digest == statement.Predicate.EvidenceDigest ? null
            : $"The evidence bundle was changed, or is another one: its SHA-256 is {digest}, and {statement.Predicate.EvidenceDigest} was signed.";
    }

    /// <summary>Every file below the folder against every file that was signed. Names come from the folder and are only compared: nothing outside it is opened.</summary>
    /// <param name="form">The variant, or "checkpoint".</param>
    public static IReadOnlyList<string> Folder(PromotionStatement statement, string form, string folder)
    {
        var signed = statement.FilesOf(form);
        if (signed.Count == 0)
            throw LlmOpsException.Invalid($"The statement names no file of '{form}'. It has files of {string.Join(" and ", statement.Subjects.Where(s => s.Name.Contains('/')).Select(s => s.Name.Split('/')[0]).Distinct())}: name one of them with --form.");
        var mismatches = new List<string>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (path, name) in Files(folder).OrderBy(f => f.Name, StringComparer.Ordinal))
        {
            seen.Add(name);
            if (new FileInfo(path).LinkTarget is not null)
                mismatches.Add($"{name} is a link. Links are not followed: put the file itself there.");
            else if (!signed.TryGetValue(name, out var digest))
                mismatches.Add($"{name} is extra: it was not signed.");
            else if (DigestOf(path) is var found && found != digest)
                mismatches.Add($"{name} was changed: its SHA-256 is {found}, and {digest} was signed.");
        }
        mismatches.AddRange(signed.Keys.Where(n => !seen.Contains(n)).Order(StringComparer.Ordinal).Select(n => $"{n} is missing."));
        return mismatches;
    }

    /// <summary>Statements about one alias, oldest first: each has to name the one before it.</summary>
    public static IReadOnlyList<string> History(IReadOnlyList<(string Digest, PromotionPredicate Promotion)> statements)
    {
        var mismatches = new List<string>();
        for (var i = 0; i < statements.Count; i++)
        {
            var (at, before) = (statements[i].Promotion, i == 0 ? null : statements[i - 1].Promotion);
            var place = $"Statement {i + 1} (move {at.Revision} of {at.Model} {at.Alias})";
            if (before is not null && (at.Model, at.Alias) != (before.Model, before.Alias))
                mismatches.Add($"{place} is about another alias than the one before it, {before.Model} {before.Alias}.");
            else if (before is not null && at.Revision != before.Revision + 1)
                mismatches.Add($"{place} follows move {before.Revision}: statements are missing, are there twice, or are in the wrong order.");
            else if (before is not null && at.Previous != statements[i - 1].Digest)
                mismatches.Add($"{place} does not name the statement before it: one of them was replaced.");
            else if (before is null && at.Previous is not null)
                mismatches.Add($"{place} names an earlier statement, {at.Previous}, which is not here.");
        }
        return mismatches;
    }

    private static string SignatureWords(Envelope envelope, IReadOnlyList<ECDsa> keys)
    {
        var (given, named) = (keys.Select(Envelope.KeyIdOf).ToList(), envelope.Signatures.Select(s => s.KeyId ?? "without an id").ToList());
        return named.Intersect(given).Any()
            ? "The signature does not cover this statement: the payload or the signature was changed after it was signed."
            : $"Wrong key: the envelope names the key {string.Join(", ", named)}, and this is {string.Join(", ", given)}. Use the key that was in force then; if the server never had a key with that id, the envelope is forged.";
    }

    private static string? Canonical(byte[] json)
    {
        try
        {
            return CanonicalJson.Write(JsonNode.Parse(json));
        }
        catch (Exception e) when (e is JsonException or ArgumentException or DecoderFallbackException)
        {
            // No JSON, or one with a name twice: then only its very bytes could have been signed.
            return null;
        }
    }

    private static IEnumerable<(string Path, string Name)> Files(string folder)
    {
        // Folders that are links are listed and not entered: they could lead anywhere, also in a circle.
        var pending = new Stack<DirectoryInfo>([new DirectoryInfo(folder)]);
        while (pending.TryPop(out var at))
            foreach (var entry in at.EnumerateFileSystemInfos("*", new EnumerationOptions { AttributesToSkip = 0, IgnoreInaccessible = false }))
                if (entry is DirectoryInfo { LinkTarget: null } inner)
                    pending.Push(inner);
                else
                    yield return (entry.FullName, Path.GetRelativePath(folder, entry.FullName).Replace('\\', '/'));
    }

    private static string DigestOf(string path)
    {
        // A pipe or a device has no length, and opening one may never end.
        if (new FileInfo(path).Length == 0)
            return Empty;
        using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(file));
    }
}
