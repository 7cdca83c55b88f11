using System.Security.Cryptography;
using LlmOps.Lifecycle.Data;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>The server's signing key: a PEM file that only the server's user can read, made at its first use.</summary>
public sealed class AttestationKey(IConfiguration configuration)
{
    private readonly Lock gate = new();

    /// <summary>Attestation:KeyFile, or keys/attestation.pem in the data folder. Several servers of one product share the file.</summary>
    public string Path { get; } = configuration["Attestation:KeyFile"] is { Length: > 0 } file ? System.IO.Path.GetFullPath(file) : System.IO.Path.Combine(DataFolder.Of(configuration), "keys", "attestation.pem");

    public ECDsa Load()
    {
        lock (gate)
        {
            if (!File.Exists(Path))
                Create();
            var key = ECDsa.Create();
            try
            {
                key.ImportFromPem(File.ReadAllText(Path));
                return key;
            }
            catch (ArgumentException e)
            {
                key.Dispose();
                throw new InvalidOperationException($"{Path} holds no private key in PEM form. Put the key back, or set Attestation:KeyFile to the right file.", e);
            }
        }
    }

    private void Create()
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(Path)!);
        using var made = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        // Never readable by others, not even for a moment; and of two processes that start at once, one makes it.
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var temporary = $"{Path}.{Guid.NewGuid():N}";
        using (var writer = new StreamWriter(temporary, options))
            writer.Write(made.ExportPkcs8PrivateKeyPem());
        try
        {
            File.Move(temporary, Path, overwrite: false);
        }
        catch (IOException) when (File.Exists(Path))
        {
            File.Delete(temporary);
        }
    }

    /// <summary>Keeps the public half in the database, so that what was signed with an older key can still be checked.</summary>
    internal static async Task PublishAsync(LlmOpsDb db, ECDsa key, DateTimeOffset now, CancellationToken ct)
    {
        var id = Envelope.KeyIdOf(key);
        if (await db.SigningKeys.AnyAsync(k => k.KeyId == id, ct))
            return;
        await db.SigningKeys.Where(k => k.RetiredAt == null).ExecuteUpdateAsync(s => s.SetProperty(k => k.RetiredAt, now), ct);
        db.SigningKeys.Add(new SigningKey { KeyId = id, PublicKeyPem = key.ExportSubjectPublicKeyInfoPem(), CreatedAt = now });
    }
}
