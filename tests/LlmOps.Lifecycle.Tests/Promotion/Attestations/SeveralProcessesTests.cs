using System.Security.Cryptography;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Promotion.Attestations;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Lifecycle.Tests.Promotion.Attestations;

/// <summary>Several web processes on one database: with one folder of keys, with folders of their own, and with a configured key.</summary>
public abstract class SeveralProcessesTests(DatabaseProvider provider) : ProductTests(provider)
{
    private AttestationKeys Keys(params (string Name, string? Value)[] settings) =>
        new(new ConfigurationBuilder().AddInMemoryCollection(settings.ToDictionary(s => s.Name, s => s.Value)).Build(), Product.Dbs);

    /// <summary>Another process: it shares the database and the artifacts, and has its own idea of where the key is.</summary>
    private DecideApproval Process(AttestationKeys keys)
    {
        var services = Get<IServiceProvider>();
        return ActivatorUtilities.CreateInstance<DecideApproval>(services, new AttestPromotion(Product.Artifacts, keys));
    }

    private string Folder(string name) => Path.Combine(Product.Folder, "process-" + name);

    private async Task<ApprovalRequest> RequestAsync(string alias = "production") => await Product.RequestAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8", alias);

    [Fact]
    public async Task OneFolder_GivesOneKey_AlsoWhenAllSignForTheFirstTimeAtOnce()
    {
        var requests = new List<ApprovalRequest>();
        for (var i = 0; i < 6; i++)
            requests.Add(await RequestAsync($"lane-{i}"));
        await AtOnceAsync(6, async i =>
        {
            await Process(Keys(("Data:Folder", Folder("shared")))).ApproveAsync(requests[i].Id, "", Product.Rosa);
            return true;
        });
        var key = Assert.Single(await Get<ReadAttestations>().KeysAsync());
        Assert.All(await ReadAsync(db => db.Attestations.ToListAsync()), a => Assert.Equal(key.KeyId, a.KeyId));
        Assert.Equal(6, await CountAsync(db => db.Attestations));
        Assert.Single(Directory.GetFiles(Path.Combine(Folder("shared"), "keys", "attestation")));
    }

    [Fact]
    public async Task FoldersOfTheirOwn_NeverGiveTwoKeys_TheSecondProcessRefuses()
    {
        var (first, second) = (await RequestAsync("lane-a"), await RequestAsync("lane-b"));
        var outcomes = await AtOnceAsync(2, async i =>
        {
            try
            {
                await Process(Keys(("Data:Folder", Folder($"own-{i}")))).ApproveAsync((i == 0 ? first : second).Id, "", Product.Rosa);
                return "signed";
            }
            catch (LlmOpsException e) when (e.Code == ErrorCode.TemporarilyUnavailable)
            {
                return e.Message;
            }
        });
        Assert.Single(outcomes, o => o == "signed");
        Assert.Contains("this process does not have its private half. Give every web process the same folder", Assert.Single(outcomes, o => o != "signed"), StringComparison.Ordinal);
        Assert.Single(await Get<ReadAttestations>().KeysAsync());
        Assert.Equal((1, 1), (await CountAsync(db => db.Attestations), await CountAsync(db => db.AliasMoves)));
    }

    [Fact]
    public async Task ConfiguredKey_SignsEverywhere_AndIsRotatedByReplacingIt()
    {
        using var one = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var two = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var file = Path.Combine(Product.Folder, "key.pem");
        // SEC1 form, as 'openssl ecparam -genkey' writes it.
        await File.WriteAllTextAsync(file, one.ExportECPrivateKeyPem());
        AttestationKeys byFile = Keys(("Data:Folder", Folder("a")), ("Attestation:KeyFile", file)), byText = Keys(("Data:Folder", Folder("b")), ("Attestation:Key", one.ExportPkcs8PrivateKeyPem()));
        await Process(byFile).ApproveAsync((await RequestAsync()).Id, "", Product.Rosa);
        await Process(byText).ApproveAsync((await RequestAsync()).Id, "", Product.Rosa);
        Assert.Equal(Envelope.KeyIdOf(one), Assert.Single(await Get<ReadAttestations>().KeysAsync()).KeyId);
        Assert.False(Directory.Exists(Path.Combine(Folder("a"), "keys", "attestation")));

        var rotate = new RotateSigningKey(Product.Dbs, byFile, Product.Clock);
        Assert.Contains("which was used already", await RefusedAsync(ErrorCode.ResourceConflict, () => rotate.RotateAsync(Product.Ada)), StringComparison.Ordinal);
        await File.WriteAllTextAsync(file, two.ExportPkcs8PrivateKeyPem());
        // A key that was only replaced signs nothing: that would let two processes sign with two keys.
        var request = await RequestAsync();
        await RefusedAsync(ErrorCode.TemporarilyUnavailable, () => Process(byFile).ApproveAsync(request.Id, "", Product.Rosa));
        await rotate.RotateAsync(Product.Ada);
        await RefusedAsync(ErrorCode.TemporarilyUnavailable, () => Process(byText).ApproveAsync(request.Id, "", Product.Rosa));
        await Process(byFile).ApproveAsync(request.Id, "", Product.Rosa);
        Assert.Equal([Envelope.KeyIdOf(two), Envelope.KeyIdOf(one)], (await Get<ReadAttestations>().KeysAsync()).Select(k => k.KeyId));
        Assert.True(File.Exists(file));
    }

    [Fact]
    public async Task WrongSetting_StopsTheStart_AndNamesTheKey()
    {
        using var ec = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        using var rsa = RSA.Create(2048);
        using var good = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var locked = good.ExportEncryptedPkcs8PrivateKeyPem("secret", new(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000));
        foreach (var text in new[] { "hello", ec.ExportPkcs8PrivateKeyPem(), rsa.ExportPkcs8PrivateKeyPem(), good.ExportSubjectPublicKeyInfoPem(), locked })
            Assert.Contains("Attestation:Key holds no private P-256 key", Assert.Throws<InvalidOperationException>(Keys(("Data:Folder", Folder("w")), ("Attestation:Key", text)).EnsureUsable).Message, StringComparison.Ordinal);
        Assert.Contains("Attestation:KeyFile names cannot be read", Assert.Throws<InvalidOperationException>(Keys(("Data:Folder", Folder("w")), ("Attestation:KeyFile", Path.Combine(Product.Folder, "none.pem"))).EnsureUsable).Message, StringComparison.Ordinal);
        Keys(("Data:Folder", Folder("w"))).EnsureUsable();
        Keys(("Data:Folder", Folder("w")), ("Attestation:Key", good.ExportPkcs8PrivateKeyPem())).EnsureUsable();
        await Task.CompletedTask;
    }
}

public sealed class SeveralProcessesOnSqlite() : SeveralProcessesTests(DatabaseProvider.Sqlite);

public sealed class SeveralProcessesOnPostgres() : SeveralProcessesTests(DatabaseProvider.Postgres);
