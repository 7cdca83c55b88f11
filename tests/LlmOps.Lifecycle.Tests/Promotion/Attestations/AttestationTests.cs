using System.Security.Cryptography;
using System.Text;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Promotion.Attestations;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Promotion.Attestations;

/// <summary>No alias moves without a signed statement about it, and what was signed is found when it changes.</summary>
public abstract class AttestationTests(DatabaseProvider provider) : ProductTests(provider)
{
    private ReadAttestations Read => Get<ReadAttestations>();

    private string KeyFolder => Path.Combine(Product.Folder, "keys", "attestation");

    private async Task<ECDsa> PublicKeyAsync(string id = "current")
    {
        var key = ECDsa.Create();
        key.ImportFromPem((await Read.KeyAsync(id)).PublicKeyPem);
        return key;
    }

    [Fact]
    public async Task Promotion_LeavesASignedStatement_WithEveryFileAndEverybodysWord()
    {
        await Product.DatasetAsync("facts", Lifecycle.Datasets.DatasetKind.Preference, TestProduct.PreferenceRows(20));
        var champion = await Product.VersionAsync("tiny-lm", "int8");
        await Product.EvaluationAsync(champion.Id, "int8", new Dictionary<string, double[]> { ["preference"] = [1, 0, 1, 0] });
        var first = await Product.PromoteAsync(champion, "int8");
        Product.Clock.Advance(TimeSpan.FromHours(1));
        var version = await Product.VersionAsync("tiny-lm", "fp32", "int8");
        var run = await Product.EvaluationAsync(version.Id, "int8", new Dictionary<string, double[]> { ["preference"] = [1, 1, 1, 0] });
        await Get<DefineEnvironments>().DefineAsync("tiny-lm", [ModelEnvironment.Plain("production") with { RequiredApprovals = 2 }], Product.Ada);
        var request = await Product.RequestAsync(version, "int8");
        await Get<DecideApproval>().ApproveAsync(request.Id, "one", Product.Rosa);
        Assert.Null(await Read.FindAsync(request.Id));
        await Get<DecideApproval>().ApproveAsync(request.Id, "two", Product.Ada);

        var found = await Read.GetAsync(request.Id);
        Assert.Empty(found.Mismatches);
        var statement = found.Statement!;
        var variant = await ReadAsync(db => db.ModelVariants.SingleAsync(v => v.VersionId == version.Id && v.Name == "int8"));
        var file = Assert.Single((await Product.Artifacts.ManifestAsync(variant.ArtifactDigest)).Files);
        var checkpoint = Assert.Single((await Product.Artifacts.ManifestAsync(version.ArtifactDigest)).Files);
        Assert.Equal([("int8/content.txt", file.Digest), ("checkpoint/content.txt", checkpoint.Digest), ("evidence.json", request.EvidenceDigest)], statement.Subjects.Select(s => (s.Name, s.Sha256)));
        var said = statement.Predicate;
        Assert.Equal(("tiny-lm", "tiny-lm/2", "int8", "production", 2, "Promotion", false, "tiny-lm/1 int8"), (said.Model, said.Version, said.Variant, said.Alias, said.Revision, said.Kind, said.Override, said.Replaced));
        Assert.Equal((request.Id.ToString(), request.EvidenceDigest, variant.ArtifactDigest, "alice"), (said.Approval, said.EvidenceDigest, said.VariantDigest, said.RequestedBy.Name));
        Assert.Equal(["rosa", "ada"], said.Signers.Select(s => s.Name));
        Assert.Equal(2, said.Rules!.RequiredApprovals);
        Assert.Equal(("facts/1", await ReadAsync(db => db.DatasetVersions.Select(d => d.ArtifactDigest).SingleAsync())), (said.TrainingData.Single().Name, said.TrainingData.Single().Sha256));
        Assert.Equal(run.Id, said.Runs[0]);
        Assert.Equal(await ReadAsync(db => db.AliasMoves.Where(m => m.ApprovalId == request.Id).Select(m => m.At).SingleAsync()), new DateTimeOffset(said.PromotedAt));
        // The chain of statements, and the note of the audit's end.
        Assert.Equal((await Read.GetAsync(first.Id)).Row.StatementDigest, said.Previous);
        var audit = await Get<LlmOps.Lifecycle.Identity.VerifyAudit>().VerifyAsync([LlmOps.Lifecycle.Identity.AuditHeadNote.Parse(said.AuditHead!)]);
        Assert.True(audit.IsIntact, audit.Words);
        Assert.Equal(found.Row.StatementDigest, System.Text.Json.Nodes.JsonNode.Parse((await ReadAsync(db => db.Audit.Where(a => a.Action == "attest" && a.SubjectId == request.Id.ToString()).SingleAsync())).After!)!["statement"]!.GetValue<string>());
        Assert.Equal(request.Id, Assert.Single(await Read.OfVersionAsync(new("tiny-lm", 2))).ApprovalId);
        Assert.Empty(VerifyAttestation.History(await HistoryAsync()));
        Assert.Equal(2, (await HistoryAsync()).Count);
    }

    [Fact]
    public async Task OverrideAndRollback_AreAttested_WithTheirMark()
    {
        await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        await Product.VersionAsync("tiny-lm", "int8");
        var request = await Get<RequestPromotion>().RequestAsync(new PromotionOrder("tiny-lm/2", "int8", "production", PromotionKind.Override, "Nothing answers at all."), Product.Rosa);
        await Get<DecideApproval>().ApproveAsync(request.Id, "", Product.Ada);
        var forced = (await Read.GetAsync(request.Id)).Statement!.Predicate;
        Assert.Equal(("Override", true, "Nothing answers at all."), (forced.Kind, forced.Override, forced.Reason));
        var back = await Get<RequestRollback>().RequestAsync("tiny-lm", "production", null, Product.Alice);
        await Get<DecideApproval>().ApproveAsync(back.Id, "", Product.Rosa);
        var rolled = (await Read.GetAsync(back.Id)).Statement!.Predicate;
        Assert.Equal(("Rollback", false, "tiny-lm/1", 3), (rolled.Kind, rolled.Override, rolled.Version, rolled.Revision));
        Assert.Empty(VerifyAttestation.History(await HistoryAsync()));
    }

    [Fact]
    public async Task History_ShowsWhatIsMissing_Replaced_OrOutOfOrder()
    {
        for (var i = 0; i < 4; i++)
            await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        var all = await HistoryAsync();
        Assert.Equal(4, all.Count);
        Assert.Contains("names an earlier statement", Assert.Single(VerifyAttestation.History(all[1..])), StringComparison.Ordinal);
        Assert.Contains("follows move 1", Assert.Single(VerifyAttestation.History([all[0], all[2], all[3]])), StringComparison.Ordinal);
        Assert.NotEmpty(VerifyAttestation.History([all[0], all[2], all[1], all[3]]));
        Assert.Contains("does not name the statement before it", Assert.Single(VerifyAttestation.History([all[0], all[1] with { Digest = new('a', 64) }, all[2], all[3]])), StringComparison.Ordinal);
    }

    public static TheoryData<string> Damage => ["payload", "signature", "key row", "bundle", "variant", "manifest"];

    [Theory]
    [MemberData(nameof(Damage))]
    public async Task ChangedRecord_IsFound_WhereverItIs(string what)
    {
        var version = await Product.VersionAsync("tiny-lm", "int8");
        var request = await Product.PromoteAsync(version, "int8");
        var envelope = Envelope.Parse((await Read.GetAsync(request.Id)).EnvelopeJson);
        var words = await DamageAsync(what, version, request, envelope);
        var found = Assert.Single((await Read.GetAsync(request.Id)).Mismatches);
        Assert.Contains(words, found, StringComparison.Ordinal);
    }

    private async Task<string> DamageAsync(string what, ModelVersion version, ApprovalRequest request, Envelope envelope)
    {
        switch (what)
        {
            case "payload":
                var other = Encoding.UTF8.GetString(envelope.Statement()).Replace("\"rosa\"", "\"rita\"", StringComparison.Ordinal);
                await StoreAsync(envelope with { Payload = Convert.ToBase64String(Encoding.UTF8.GetBytes(other)) });
                return "does not cover this statement";
            case "signature":
                var signature = Convert.FromBase64String(envelope.Signatures[0].Signature);
                signature[^1] ^= 1;
                await StoreAsync(envelope with { Signatures = [envelope.Signatures[0] with { Signature = Convert.ToBase64String(signature) }] });
                return "does not cover this statement";
            case "key row":
                await ReadAsync(db => db.SigningKeys.ExecuteDeleteAsync());
                return "is not in this registry any more";
            case "bundle":
                var edited = request.EvidenceJson.Replace("\"licence\":\"MIT\"", "\"licence\":\"none\"", StringComparison.Ordinal);
                // Also whoever writes the digest to match is found: the digest that was signed is in the statement.
                await ReadAsync(db => db.Approvals.ExecuteUpdateAsync(u => u.SetProperty(a => a.EvidenceJson, edited).SetProperty(a => a.EvidenceDigest, CanonicalJson.Digest(edited))));
                return "The evidence bundle was changed";
            case "variant":
                var stored = await Product.StoreAsync("other weights");
                await ReadAsync(db => db.ModelVariants.ExecuteUpdateAsync(u => u.SetProperty(v => v.ArtifactDigest, stored.Digest)));
                return "The files of int8 in this registry are not those that were signed";
            default:
                await File.AppendAllTextAsync(Path.Combine(Product.Folder, "artifacts", "blobs", version.ArtifactDigest[..2], version.ArtifactDigest), " ");
                return "the store is damaged";
        }
    }

    private Task<int> StoreAsync(Envelope envelope)
    {
        var text = envelope.Write();
        return ReadAsync(db => db.Attestations.ExecuteUpdateAsync(u => u.SetProperty(a => a.EnvelopeJson, text)));
    }

    [Fact]
    public async Task RemovedStatement_IsMissed_AndOneThatNeverWasIsNot()
    {
        var request = await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        await ReadAsync(db => db.Attestations.ExecuteDeleteAsync());
        Assert.Contains("somebody has removed it", await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Read.GetAsync(request.Id)), StringComparison.Ordinal);
        Assert.True((await Read.AbsenceAsync(request.Id)).IsSuspicious);
        // As an older release left it: approved, and no word of a statement in the audit.
        await ReadAsync(db => db.Audit.Where(a => a.Action == "attest").ExecuteDeleteAsync());
        Assert.Contains("before statements were signed", await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Read.GetAsync(request.Id)), StringComparison.Ordinal);
        // The next one names none before it, and is good.
        Assert.Null((await Read.GetAsync((await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8")).Id)).Statement!.Predicate.Previous);
    }

    [Fact]
    public async Task Rotation_RetiresTheKey_AndWhatItSignedStaysGood()
    {
        var before = await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        var old = await Read.KeyAsync("current");
        Product.Clock.Advance(TimeSpan.FromDays(1));
        await RefusedAsync(ErrorCode.PermissionDenied, () => Get<RotateSigningKey>().RotateAsync(Product.Rosa));
        var made = await Get<RotateSigningKey>().RotateAsync(Product.Ada);
        var after = await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        Assert.Equal([made.KeyId, old.KeyId], (await Read.KeysAsync()).Select(k => k.KeyId));
        Assert.Equal(made.CreatedAt, (await Read.KeyAsync(old.KeyId)).RetiredAt);
        Assert.Equal((old.KeyId, made.KeyId), ((await Read.GetAsync(before.Id)).Row.KeyId, (await Read.GetAsync(after.Id)).Row.KeyId));
        Assert.All(new[] { before, after }, r => Assert.Empty(Read.GetAsync(r.Id).GetAwaiter().GetResult().Mismatches));
        using var newKey = await PublicKeyAsync();
        using var oldKey = await PublicKeyAsync(old.KeyId);
        var envelope = Envelope.Parse((await Read.GetAsync(before.Id)).EnvelopeJson);
        Assert.Contains("Wrong key", Assert.Single(VerifyAttestation.Signature(envelope, [newKey]).Mismatches), StringComparison.Ordinal);
        Assert.True(VerifyAttestation.Signature(envelope, [newKey, oldKey]).IsGood);
        // The retired private half is gone.
        Assert.Equal([made.KeyId + ".pem"], Directory.GetFiles(KeyFolder).Select(Path.GetFileName));
        Assert.Empty(VerifyAttestation.History(await HistoryAsync()));
    }

    [Fact]
    public async Task PrivateKey_IsAFileForTheOwnerOnly_AndNowhereElse()
    {
        var request = await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        var file = Assert.Single(Directory.GetFiles(KeyFolder));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
            foreach (var above in new[] { KeyFolder, Path.GetDirectoryName(KeyFolder)! })
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(above));
        }
        var pem = await File.ReadAllTextAsync(file);
        var secret = pem.Split('\n')[2];
        Assert.Equal(64, secret.Length);
        Assert.DoesNotContain(secret, await DatabaseText.ReadAsync(Product), StringComparison.Ordinal);
        Assert.DoesNotContain("PRIVATE", (await Read.KeyAsync("current")).PublicKeyPem + (await Read.GetAsync(request.Id)).EnvelopeJson, StringComparison.Ordinal);
    }

    public static TheoryData<string> Hindrances => ["no key", "other key", "readable by others", "folder is a file", "manifest gone", "key id leads out"];

    [Theory]
    [MemberData(nameof(Hindrances))]
    public async Task Move_IsRefusedWhole_WhenItCannotBeSigned(string hindrance)
    {
        var first = await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        var version = await Product.VersionAsync("tiny-lm", "int8");
        var request = await Product.RequestAsync(version, "int8");
        var key = Assert.Single(Directory.GetFiles(KeyFolder));
        switch (hindrance)
        {
            case "no key":
                File.Delete(key);
                break;
            case "other key":
                using (var other = ECDsa.Create(ECCurve.NamedCurves.nistP256))
                    await File.WriteAllTextAsync(key, other.ExportPkcs8PrivateKeyPem());
                break;
            case "readable by others":
                Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no file mode.");
#pragma warning disable CA1416
                File.SetUnixFileMode(key, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
#pragma warning restore CA1416
                break;
            case "key id leads out":
                await ReadAsync(db => db.SigningKeys.ExecuteDeleteAsync());
                await Product.WriteAsync(db => db.SigningKeys.Add(new SigningKey { KeyId = "../attestation/" + Path.GetFileNameWithoutExtension(key), PublicKeyPem = "", CreatedAt = Product.Clock.GetUtcNow() }));
                break;
            case "folder is a file":
                await ReadAsync(db => db.SigningKeys.ExecuteUpdateAsync(u => u.SetProperty(k => k.RetiredAt, Product.Clock.GetUtcNow())));
                Directory.Delete(KeyFolder, recursive: true);
                await File.WriteAllTextAsync(KeyFolder, "");
                break;
            default:
                File.Delete(Path.Combine(Product.Folder, "artifacts", "blobs", version.ArtifactDigest[..2], version.ArtifactDigest));
                break;
        }
        var before = await DatabaseText.ReadAsync(Product);
        var message = await RefusedAsync(ErrorCode.TemporarilyUnavailable, () => Get<DecideApproval>().ApproveAsync(request.Id, "", Product.Rosa));
        Assert.StartsWith("The alias did not move, because the promotion could not be signed.", message, StringComparison.Ordinal);
        Assert.DoesNotContain(Product.Folder, message, StringComparison.Ordinal);
        Assert.Equal(before, await DatabaseText.ReadAsync(Product));

        // What helps: the key again, or another one by an administrator; then the same request goes through.
        if (hindrance == "manifest gone")
            return;
        if (File.Exists(KeyFolder))
            File.Delete(KeyFolder);
        else
        {
            await Get<RotateSigningKey>().RotateAsync(Product.Ada);
            Assert.False(File.Exists(key));
        }
        await Get<DecideApproval>().ApproveAsync(request.Id, "", Product.Rosa);
        Assert.Empty((await Read.GetAsync(request.Id)).Mismatches);
        Assert.Equal(hindrance == "key id leads out", (await Read.GetAsync(first.Id)).Mismatches.Count > 0);
    }

    [Fact]
    public async Task KilledBetweenTheKeyFileAndTheTransaction_TheKeyIsUsedByTheNextOne()
    {
        using var left = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var id = Envelope.KeyIdOf(left);
        Directory.CreateDirectory(KeyFolder);
        var file = Path.Combine(KeyFolder, id + ".pem");
        await File.WriteAllTextAsync(file, left.ExportPkcs8PrivateKeyPem());
        await File.WriteAllTextAsync(Path.Combine(KeyFolder, "half.new"), "-----BEGIN PRIV");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        Assert.Equal(id, Assert.Single(await Read.KeysAsync()).KeyId);
    }

    [Fact]
    public async Task KilledBetweenARotationAndItsCleaning_NothingIsSignedWithTheOldKey()
    {
        await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        var file = Assert.Single(Directory.GetFiles(KeyFolder));
        var old = await File.ReadAllBytesAsync(file);
        Product.Clock.Advance(TimeSpan.FromMinutes(1));
        var made = await Get<RotateSigningKey>().RotateAsync(Product.Ada);
        await File.WriteAllBytesAsync(file, old);
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var request = await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        Assert.Equal(made.KeyId, (await Read.GetAsync(request.Id)).Row.KeyId);
        Product.Clock.Advance(TimeSpan.FromMinutes(1));
        var last = await Get<RotateSigningKey>().RotateAsync(Product.Ada);
        Assert.Equal([last.KeyId + ".pem"], Directory.GetFiles(KeyFolder).Select(Path.GetFileName));
    }

    /// <summary>Two requests for one alias, approved in one moment: one moves it, and only that one is attested.</summary>
    [Fact]
    public async Task LostRace_LeavesNoStatement()
    {
        await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        var requests = new List<ApprovalRequest>();
        for (var i = 0; i < 4; i++)
            requests.Add(await Product.RequestAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8"));
        var moved = await AtOnceAsync(4, async i =>
        {
            try
            {
                await Get<DecideApproval>().ApproveAsync(requests[i].Id, "", Product.Rosa);
                return 1;
            }
            catch (LlmOpsException e) when (e.Code == ErrorCode.ResourceConflict)
            {
                return 0;
            }
        });
        Assert.Equal(1, moved.Sum());
        Assert.Equal((2, 2), (await CountAsync(db => db.AliasMoves), await CountAsync(db => db.Attestations)));
        Assert.Empty(VerifyAttestation.History(await HistoryAsync()));
    }

    [Fact]
    public async Task UndecidedRequests_HaveNoStatement_AndSaySo()
    {
        var request = await Product.RequestAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        Assert.Contains("WaitingForApproval", await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Read.GetAsync(request.Id)), StringComparison.Ordinal);
        await Get<DecideApproval>().RejectAsync(request.Id, "No.", Product.Rosa);
        Assert.Contains("Rejected", await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Read.GetAsync(request.Id)), StringComparison.Ordinal);
        Assert.Equal(0, await CountAsync(db => db.Attestations));
        var (_, json) = await Read.EvidenceAsync(request.Id);
        Assert.Equal(request.EvidenceDigest, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(json))));
    }

    private async Task<List<(string Digest, PromotionPredicate Promotion)>> HistoryAsync() =>
        [.. (await Read.HistoryAsync("tiny-lm", "production")).Select(Envelope.Parse).Select(e => (e.StatementDigest(), PromotionStatement.Parse(e.Statement()).Predicate))];
}

public sealed class AttestationOnSqlite() : AttestationTests(DatabaseProvider.Sqlite);

public sealed class AttestationOnPostgres() : AttestationTests(DatabaseProvider.Postgres);
