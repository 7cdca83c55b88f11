using System.Security.Cryptography;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;

namespace LlmOps.Lifecycle.Promotion.Attestations;

/// <summary>
/// The private keys, which are files or a setting and never rows. The database says which public key is in force; a process that does not hold its private half
/// refuses to sign, so that two processes with different folders never sign with two keys.
/// </summary>
public sealed class AttestationKeys(IConfiguration configuration, IDbContextFactory<LlmOpsDb> dbs)
{
    private const string P256 = "1.2.840.10045.3.1.7";
    private const int MostPemBytes = 64 << 10;
    private const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;

    private readonly string folder = Path.Combine(DataFolder.Of(configuration), "keys", "attestation");

    /// <summary>The key is given by a setting, so the product makes none and deletes none.</summary>
    internal bool IsConfigured => Setting("Attestation:KeyFile") is not null || Setting("Attestation:Key") is not null;

    /// <summary>Stops the start when the setting holds no usable key.</summary>
    public void EnsureUsable()
    {
        try
        {
            using var key = Configured();
        }
        catch (LlmOpsException e)
        {
            throw new InvalidOperationException(e.Message, e);
        }
    }

    /// <summary>The key in force. The first one of an installation is published here.</summary>
    internal async Task<ECDsa> InForceAsync(LlmOpsDb db, DateTimeOffset now, CancellationToken ct)
    {
        if (await FindActiveAsync(db, ct) is { } active)
            return Held(active);
        if (db.Database.CurrentTransaction is not null)
            return await FirstAsync(db, now, ct);
        await using var own = await dbs.CreateDbContextAsync(ct);
        await using var transaction = await own.Database.BeginTransactionAsync(ct);
        var first = await FirstAsync(own, now, ct);
        await own.SaveChangesAsync(ct);
        await transaction.CommitAsync(ct);
        return first;
    }

    private async Task<ECDsa> FirstAsync(LlmOpsDb db, DateTimeOffset now, CancellationToken ct)
    {
        // Of two processes that sign for the first time at once, the second waits here and then finds the first one's key.
        await LockAsync(db, ct);
        if (await FindActiveAsync(db, ct) is { } active)
            return Held(active);
        var first = Configured() ?? await UnpublishedAsync(db, ct) ?? Create();
        await PublishAsync(db, first, "create", Actor.System, null, now, ct);
        return first;
    }

    private ECDsa Held(SigningKey active)
    {
        // The id becomes the name of a file: one that somebody wrote into the database must not lead out of the folder.
        if (active.KeyId.Length != 64 || !active.KeyId.All(char.IsAsciiHexDigitLower))
            throw LlmOpsException.Invalid("The signing key in force has no proper id: the database was edited. Let an administrator rotate the key.");
        var held = Configured() ?? Stored(active.KeyId);
        if (held is not null && Envelope.KeyIdOf(held) == active.KeyId)
            return held;
        held?.Dispose();
        throw LlmOpsException.Invalid($"The signing key in force is {active.KeyId[..12]}…, and this process does not have its private half. "
            + (IsConfigured ? "Put it into Attestation:KeyFile or Attestation:Key" : "Give every web process the same folder keys/attestation of the data folder, or the same Attestation:KeyFile")
            + ", or let an administrator rotate the key.");
    }

    /// <summary>The key that comes after those in force.</summary>
    internal async Task<ECDsa> NextAsync(LlmOpsDb db, CancellationToken ct)
    {
        if (Configured() is not { } key)
            return Create();
        var id = Envelope.KeyIdOf(key);
        if (await db.SigningKeys.AnyAsync(k => k.KeyId == id, ct))
        {
            key.Dispose();
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"The key of the setting Attestation:KeyFile or Attestation:Key is {id[..12]}…, which was used already. Put a new key there first, then rotate.");
        }
        return key;
    }

    internal static async Task<SigningKey> PublishAsync(LlmOpsDb db, ECDsa key, string action, Actor actor, string? before, DateTimeOffset now, CancellationToken ct)
    {
        var id = Envelope.KeyIdOf(key);
        if (await db.SigningKeys.AnyAsync(k => k.KeyId == id, ct))
            throw new LlmOpsException(ErrorCode.ResourceConflict, $"The signing key {id[..12]}… was retired and cannot come back. Let an administrator rotate the key.");
        var row = new SigningKey { KeyId = id, PublicKeyPem = key.ExportSubjectPublicKeyInfoPem(), CreatedAt = now };
        db.SigningKeys.Add(row);
        db.Record(actor, action, "signing-key", id, now, before is null ? null : new { key_id = before }, new { key_id = id });
        return row;
    }

    /// <summary>A retired private key is of no more use but to forge.</summary>
    internal void KeepOnly(string keyId)
    {
        if (IsConfigured || !Directory.Exists(folder))
            return;
        foreach (var file in Directory.EnumerateFiles(folder, "*.pem").Where(f => Path.GetFileNameWithoutExtension(f) != keyId))
            File.Delete(file);
    }

    internal static Task<SigningKey?> FindActiveAsync(LlmOpsDb db, CancellationToken ct) =>
        db.SigningKeys.AsNoTracking().Where(k => k.RetiredAt == null).OrderByDescending(k => k.CreatedAt).ThenBy(k => k.KeyId).FirstOrDefaultAsync(ct);

    /// <summary>SQLite's transactions exclude each other from their beginning; on PostgreSQL this lock does, until the transaction ends.</summary>
    internal static Task LockAsync(LlmOpsDb db, CancellationToken ct) =>
        db.Database.IsNpgsql() ? db.Database.ExecuteSqlRawAsync("SELECT pg_advisory_xact_lock(4701290517)", ct) : Task.CompletedTask;

    private string? Setting(string name) => configuration[name] is { Length: > 0 } value ? value : null;

    private ECDsa? Configured()
    {
        if (Setting("Attestation:KeyFile") is not { } file)
            return Setting("Attestation:Key") is { } pem ? Import(pem, "The setting Attestation:Key") : null;
        try
        {
            return Import(ReadPem(file), "The file that Attestation:KeyFile names");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw LlmOpsException.Invalid("The file that Attestation:KeyFile names cannot be read. Check that it exists and that the account of this process may read it.");
        }
    }

    private ECDsa? Stored(string keyId)
    {
        var path = Path.Combine(folder, keyId + ".pem");
        if (!File.Exists(path))
            return null;
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & Others) != 0)
            throw LlmOpsException.Invalid($"Other accounts may read the signing key keys/attestation/{keyId[..12]}….pem of the data folder. Rotate the key, because it may be known; 'chmod 600' on the file is enough only when you are sure that it is not.");
        return Import(ReadPem(path), $"The file keys/attestation/{keyId[..12]}….pem of the data folder");
    }

    /// <summary>A key whose process was killed between writing the file and its transaction: it signed nothing yet, and will do.</summary>
    private async Task<ECDsa?> UnpublishedAsync(LlmOpsDb db, CancellationToken ct)
    {
        if (!Directory.Exists(folder))
            return null;
        foreach (var id in Directory.EnumerateFiles(folder, "*.pem").Select(f => Path.GetFileNameWithoutExtension(f)!).Order(StringComparer.Ordinal))
            if (!await db.SigningKeys.AnyAsync(k => k.KeyId == id, ct) && Stored(id) is { } key)
            {
                if (Envelope.KeyIdOf(key) == id)
                    return key;
                key.Dispose();
            }
        return null;
    }

    private ECDsa Create()
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        // Each by itself: the folder above also holds the keys of sessions, and would else be made with the rights that everything has.
        foreach (var made in new[] { Path.GetDirectoryName(folder)!, folder })
            _ = OperatingSystem.IsWindows() ? Directory.CreateDirectory(made) : Directory.CreateDirectory(made, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        // Never readable by others, not even for a moment, and never half there: it gets its name when it is whole.
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var temporary = Path.Combine(folder, $"{Guid.NewGuid():N}.new");
        using (var file = new FileStream(temporary, options))
        {
            file.Write(System.Text.Encoding.ASCII.GetBytes(key.ExportPkcs8PrivateKeyPem()));
            file.Flush(flushToDisk: true);
        }
        File.Move(temporary, Path.Combine(folder, Envelope.KeyIdOf(key) + ".pem"));
        return key;
    }

    private static string ReadPem(string path) => new FileInfo(path).Length <= MostPemBytes ? File.ReadAllText(path) : throw LlmOpsException.Invalid("The file with the signing key is larger than any key.");

    private static ECDsa Import(string pem, string where)
    {
        var key = ECDsa.Create();
        try
        {
            key.ImportFromPem(pem);
            if (key.ExportParameters(includePrivateParameters: true).Curve.Oid.Value == P256)
                return key;
        }
        catch (Exception e) when (e is ArgumentException or CryptographicException)
        {
            // said below
        }
        key.Dispose();
        throw LlmOpsException.Invalid($"{where} holds no private P-256 key in PEM form without a password. Make one with 'openssl ecparam -name prime256v1 -genkey -noout'.");
    }
}
