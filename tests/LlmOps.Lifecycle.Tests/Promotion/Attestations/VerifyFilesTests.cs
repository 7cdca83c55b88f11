using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Promotion.Attestations;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;

namespace LlmOps.Lifecycle.Tests.Promotion.Attestations;

/// <summary>What somebody without the server can find out with an envelope, a public key and the files.</summary>
public sealed class VerifyFilesTests : ProductTests
{
    private string folder = "", envelope = "", key = "", bundle = "", artifact = "";

    public VerifyFilesTests() : base(DatabaseProvider.Sqlite)
    {
    }

    private async Task DownloadedAsync()
    {
        folder = Directory.CreateDirectory(Path.Combine(Product.Folder, "downloads")).FullName;
        var version = await Product.ShapedVersionAsync("tiny-lm", ("int8", "int8", 1000));
        var request = await Product.PromoteAsync(version, "int8");
        var read = Get<ReadAttestations>();
        envelope = Write("envelope.json", (await read.GetAsync(request.Id)).EnvelopeJson);
        bundle = Write("evidence.json", (await read.EvidenceAsync(request.Id)).Json);
        key = Write("key.pem", (await read.KeyAsync("current")).PublicKeyPem);
        var detail = await Get<ReadVersion>().GetAsync(version.Key());
        artifact = Copy(await Product.Artifacts.FolderAsync(detail.Variants[0].Digest), "int8");
        Copy(await Product.Artifacts.FolderAsync(detail.Digest), "checkpoint");
    }

    private string Write(string name, string text)
    {
        File.WriteAllText(Path.Combine(folder, name), text);
        return Path.Combine(folder, name);
    }

    private string Copy(string from, string name)
    {
        var to = Directory.CreateDirectory(Path.Combine(folder, name)).FullName;
        foreach (var file in Directory.GetFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        return to;
    }

    private AttestationReport Verify() => VerifyAttestationFiles.Verify(new(envelope, [key], artifact, null, bundle));

    private static string Refused(Func<AttestationReport> verify) => Assert.Throws<LlmOpsException>(verify).Message;

    [Fact]
    public async Task WhatWasSigned_IsGood_AlsoWithTheJsonLaidOutAnew()
    {
        await DownloadedAsync();
        Assert.Empty(Verify().Mismatches);
        Assert.Equal(["the signature", "the evidence bundle", "2 files of int8"], Verify().Checked);
        Assert.True(VerifyAttestationFiles.Verify(new(envelope, [key], Path.Combine(folder, "checkpoint"), "checkpoint")).IsGood);
        var laidOut = new JsonSerializerOptions { WriteIndented = true };
        Write("evidence.json", JsonNode.Parse(await File.ReadAllTextAsync(bundle))!.ToJsonString(laidOut));
        Write("envelope.json", JsonNode.Parse(await File.ReadAllTextAsync(envelope))!.ToJsonString(laidOut));
        Assert.Empty(Verify().Mismatches);
    }

    public static TheoryData<string, string> Changes => new()
    {
        { "payload", "does not cover this statement" }, { "type", "does not cover this statement" }, { "signature", "does not cover this statement" }, { "no signature", "does not cover this statement" },
        { "key id", "Wrong key" }, { "key", "Wrong key" }, { "bundle", "The evidence bundle was changed" }, { "file", "model.onnx was changed" }, { "empty file", "model.onnx was changed" }, { "missing", "model.onnx is missing" },
        { "extra", "sub/extra.bin is extra" }, { "link", "model.onnx is a link" }, { "linked folder", "elsewhere is a link" },
    };

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task Change_IsNamed(string change, string words)
    {
        await DownloadedAsync();
        var model = Path.Combine(artifact, "model.onnx");
        var json = JsonNode.Parse(await File.ReadAllTextAsync(envelope))!;
        switch (change)
        {
            case "payload":
                var text = Encoding.UTF8.GetString(Convert.FromBase64String(json["payload"]!.GetValue<string>())).Replace("\"override\":false", "\"override\":true", StringComparison.Ordinal);
                json["payload"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(text));
                break;
            case "type":
                json["payloadType"] = "application/json";
                break;
            case "signature":
                using (var other = ECDsa.Create(ECCurve.NamedCurves.nistP256))
                    json["signatures"]![0]!["sig"] = Envelope.Sign([1, 2, 3], other).Signatures[0].Signature;
                break;
            case "no signature":
                json["signatures"]![0]!["sig"] = "";
                break;
            case "key id":
                // A forger who has no key signs with one of their own and names it.
                using (var other = ECDsa.Create(ECCurve.NamedCurves.nistP256))
                    json = JsonNode.Parse(Envelope.Sign(Convert.FromBase64String(json["payload"]!.GetValue<string>()), other).Write())!;
                break;
            case "key":
                using (var other = ECDsa.Create(ECCurve.NamedCurves.nistP256))
                    Write("key.pem", other.ExportSubjectPublicKeyInfoPem());
                break;
            case "bundle":
                Write("evidence.json", (await File.ReadAllTextAsync(bundle)).Replace("\"licence\":\"MIT\"", "\"licence\":\"none\"", StringComparison.Ordinal));
                break;
            case "file":
                await File.WriteAllBytesAsync(model, [.. new byte[999], 1]);
                break;
            case "empty file":
                await File.WriteAllBytesAsync(model, []);
                break;
            case "missing":
                File.Delete(model);
                break;
            case "extra":
                await File.WriteAllTextAsync(Path.Combine(Directory.CreateDirectory(Path.Combine(artifact, "sub")).FullName, "extra.bin"), "x");
                break;
            case "link":
                File.Move(model, Path.Combine(folder, "moved.onnx"));
                File.CreateSymbolicLink(model, Path.Combine(folder, "moved.onnx"));
                break;
            default:
                Directory.CreateSymbolicLink(Path.Combine(artifact, "elsewhere"), folder);
                break;
        }
        Write("envelope.json", json.ToJsonString());
        var report = Verify();
        Assert.False(report.IsGood);
        Assert.Contains(words, report.Mismatches[0], StringComparison.Ordinal);
        Assert.Equal(change == "type" ? 2 : 1, report.Mismatches.Count);
    }

    [Fact]
    public async Task EveryMismatch_IsNamed_NotOnlyTheFirst()
    {
        await DownloadedAsync();
        await File.WriteAllTextAsync(Path.Combine(artifact, "extra.bin"), "x");
        File.Delete(Path.Combine(artifact, "tokenizer.json"));
        await File.WriteAllBytesAsync(Path.Combine(artifact, "model.onnx"), [1]);
        await File.AppendAllTextAsync(bundle, "x");
        var text = await File.ReadAllTextAsync(envelope);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        Write("key.pem", other.ExportSubjectPublicKeyInfoPem());
        var mismatches = Verify().Mismatches;
        Assert.Equal(["Wrong key", "The evidence bundle", "extra.bin is extra", "model.onnx was changed", "tokenizer.json is missing"], mismatches.Select(m => new[] { "Wrong key", "The evidence bundle", "extra.bin is extra", "model.onnx was changed", "tokenizer.json is missing" }.Single(w => m.StartsWith(w, StringComparison.Ordinal))));
        Assert.NotEmpty(text);
    }

    /// <summary>Names that lead out of the folder are compared with what is there, and never opened.</summary>
    [Fact]
    public async Task NamesThatLeadOut_OpenNothing()
    {
        await DownloadedAsync();
        using var forger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var statement = PromotionStatement.Parse(Envelope.Parse(await File.ReadAllTextAsync(envelope)).Statement());
        var evil = statement with { Subjects = [.. statement.Subjects, StatementSubject.Of("int8/../key.pem", Convert.ToHexStringLower(SHA256.HashData(await File.ReadAllBytesAsync(key)))), StatementSubject.Of("int8//etc/passwd", new('0', 64))] };
        Write("envelope.json", Envelope.Sign(evil.Write(), forger).Write());
        Write("key.pem", forger.ExportSubjectPublicKeyInfoPem());
        Assert.Equal(["../key.pem is missing.", "/etc/passwd is missing."], Verify().Mismatches);
    }

    [Fact]
    public async Task UnusableInput_IsSaid_AndIsNoMismatch()
    {
        await DownloadedAsync();
        Assert.Contains("--key", Refused(() => VerifyAttestationFiles.Verify(new(envelope, []))), StringComparison.Ordinal);
        Assert.Contains("does not exist", Refused(() => VerifyAttestationFiles.Verify(new("none.json", [key]))), StringComparison.Ordinal);
        Assert.Contains("no signing envelope", Refused(() => VerifyAttestationFiles.Verify(new(Write("a.json", "{\"payload\":1}"), [key]))), StringComparison.Ordinal);
        Assert.Contains("no signing envelope", Refused(() => VerifyAttestationFiles.Verify(new(Write("b.json", "{}"), [key]))), StringComparison.Ordinal);
        Assert.Contains("not base64", Refused(() => VerifyAttestationFiles.Verify(new(Write("c.json", "{\"payload\":\"%\",\"payloadType\":\"x\",\"signatures\":[{\"sig\":\"\"}]}"), [key]))), StringComparison.Ordinal);
        Assert.Contains("is empty", Refused(() => VerifyAttestationFiles.Verify(new(Write("d.json", ""), [key]))), StringComparison.Ordinal);
        Assert.Contains("no public ECDSA key", Refused(() => VerifyAttestationFiles.Verify(new(envelope, [bundle]))), StringComparison.Ordinal);
        var secret = Assert.Single(Directory.GetFiles(Path.Combine(Product.Folder, "keys", "attestation")));
        Assert.Contains("holds a private key", Refused(() => VerifyAttestationFiles.Verify(new(envelope, [secret]))), StringComparison.Ordinal);
        Assert.Contains("larger than", Refused(() => VerifyAttestationFiles.Verify(new(envelope, [Write("big.pem", new('x', VerifyAttestationFiles.MostKeyBytes + 1))]))), StringComparison.Ordinal);
        Assert.Contains("larger than 16 MiB", Refused(() => VerifyAttestationFiles.Verify(new(Write("e.json", new(' ', Envelope.MostBytes + 1)), [key]))), StringComparison.Ordinal);
        var many = JsonNode.Parse(await File.ReadAllTextAsync(envelope))!;
        many["signatures"] = new JsonArray([.. Enumerable.Range(0, Envelope.MostSignatures + 1).Select(_ => (JsonNode)new JsonObject { ["sig"] = "" })]);
        Assert.Contains("1 to 64 signatures", Refused(() => VerifyAttestationFiles.Verify(new(Write("many.json", many.ToJsonString()), [key]))), StringComparison.Ordinal);
        Assert.Contains("Folder", Refused(() => VerifyAttestationFiles.Verify(new(envelope, [key], "no-such-folder"))), StringComparison.Ordinal);
        Assert.Contains("no file of 'int4'. It has files of int8 and checkpoint", Refused(() => VerifyAttestationFiles.Verify(new(envelope, [key], artifact, "int4"))), StringComparison.Ordinal);
        // Signed by the right key, but about something else: a key that signs more than promotions must not make one.
        using var signer = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var other = Write("f.json", Envelope.Sign(Encoding.UTF8.GetBytes("{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[],\"predicateType\":\"https://slsa.dev/provenance/v1\",\"predicate\":{}}"), signer).Write());
        Assert.Contains("no statement about a promotion", Refused(() => VerifyAttestationFiles.Verify(new(other, [Write("signer.pem", signer.ExportSubjectPublicKeyInfoPem())]))), StringComparison.Ordinal);
    }

    [Fact]
    public async Task History_OfAnAlias_IsCheckedAsAWhole_AcrossARotation()
    {
        folder = Directory.CreateDirectory(Path.Combine(Product.Folder, "downloads")).FullName;
        var read = Get<ReadAttestations>();
        await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        var first = Write("first.pem", (await read.KeyAsync("current")).PublicKeyPem);
        Product.Clock.Advance(TimeSpan.FromMinutes(1));
        await Get<RotateSigningKey>().RotateAsync(Product.Ada);
        await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        var second = Write("second.pem", (await read.KeyAsync("current")).PublicKeyPem);
        var lines = await read.HistoryAsync("tiny-lm", "production");
        var all = Write("history.jsonl", string.Join('\n', lines) + "\n");
        var report = VerifyAttestationFiles.Verify(new(all, [first, second]));
        Assert.Empty(report.Mismatches);
        Assert.Equal(("tiny-lm/3", 3), (report.Statement!.Predicate.Version, report.Statement.Predicate.Revision));
        Assert.StartsWith("Statement 1: Wrong key", Assert.Single(VerifyAttestationFiles.Verify(new(all, [second])).Mismatches), StringComparison.Ordinal);
        var cut = Write("cut.jsonl", $"{lines[0]}\n{lines[2]}\n");
        Assert.Contains("follows move 1", Assert.Single(VerifyAttestationFiles.Verify(new(cut, [first, second])).Mismatches), StringComparison.Ordinal);
    }

    /// <summary>Another implementation, on the bytes that the documentation describes: nothing of ours is asked.</summary>
    [Fact]
    public async Task OpenSsl_VerifiesTheSignature()
    {
        await DownloadedAsync();
        var json = JsonNode.Parse(await File.ReadAllTextAsync(envelope))!;
        var payload = Convert.FromBase64String(json["payload"]!.GetValue<string>());
        var type = json["payloadType"]!.GetValue<string>();
        await File.WriteAllBytesAsync(Path.Combine(folder, "signed.bin"), [.. Encoding.ASCII.GetBytes($"DSSEv1 {type.Length} {type} {payload.Length} "), .. payload]);
        await File.WriteAllBytesAsync(Path.Combine(folder, "signature.der"), Convert.FromBase64String(json["signatures"]![0]!["sig"]!.GetValue<string>()));
        Assert.Equal((0, "Verified OK"), await OpenSslAsync());
        payload[^2] ^= 1;
        await File.WriteAllBytesAsync(Path.Combine(folder, "signed.bin"), [.. Encoding.ASCII.GetBytes($"DSSEv1 {type.Length} {type} {payload.Length} "), .. payload]);
        Assert.Equal(1, (await OpenSslAsync()).ExitCode);
    }

    private async Task<(int ExitCode, string Output)> OpenSslAsync()
    {
        var start = new ProcessStartInfo("openssl", ["dgst", "-sha256", "-verify", key, "-signature", "signature.der", "signed.bin"]) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.SkipUnless(Environment.GetEnvironmentVariable("CI") == "true", "openssl is not installed here.");
            throw;
        }
        using (process)
        {
            var output = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            return (process.ExitCode, output.Trim());
        }
    }
}
