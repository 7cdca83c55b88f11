using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Promotion.Attestations;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Tests.Api;

public sealed class AttestationApiTests(WebProduct product)
{
    private static readonly Actor Engineer = Actor.WithRoles(Guid.CreateVersion7(), "attest-maker", [Roles.Engineer]);
    private static readonly Actor Release = Actor.WithRoles(Guid.CreateVersion7(), "attest-releaser", [Roles.ReleaseManager]);

    private static Uri At(string path) => new("/api/v1" + path, UriKind.Relative);

    [Fact]
    public async Task Statement_Evidence_AndKeys_AreReadByAnybodySignedIn_AndVerifiedElsewhere()
    {
        var (first, second) = (await PromotedAsync("attest-lm"), await PromotedAsync("attest-lm"));
        using var viewer = await product.ProgramAsync(Roles.Viewer);
        using var answer = await viewer.GetAsync(At($"/approvals/{second.Id}/attestation"));
        Assert.Equal((HttpStatusCode.OK, Envelope.MediaType, "attest-lm-2-fp32-production.attestation.json"), (answer.StatusCode, answer.Content.Headers.ContentType!.MediaType, answer.Content.Headers.ContentDisposition!.FileName));
        var envelope = Envelope.Parse(await answer.Content.ReadAsStringAsync());
        using var key = ECDsa.Create();
        key.ImportFromPem(await viewer.GetStringAsync(At($"/attestations/keys/{envelope.Signatures[0].KeyId}.pem")));
        var report = VerifyAttestation.Signature(envelope, [key]);
        Assert.Empty(report.Mismatches);
        Assert.Equal(("attest-lm/2", "attest-releaser"), (report.Statement!.Predicate.Version, report.Statement.Predicate.Signers.Single().Name));

        var evidence = await viewer.GetByteArrayAsync(At($"/approvals/{second.Id}/evidence"));
        Assert.Equal(second.EvidenceDigest, Convert.ToHexStringLower(SHA256.HashData(evidence)));
        Assert.Null(VerifyAttestation.Bundle(report.Statement, evidence));
        // The file as it is downloaded has the digest that was signed.
        var file = await viewer.GetByteArrayAsync(At("/models/attest-lm/versions/2/files/fp32/content.txt"));
        Assert.Equal(report.Statement.FilesOf("fp32")["content.txt"], Convert.ToHexStringLower(SHA256.HashData(file)));

        var listed = await viewer.GetFromJsonAsync<JsonElement>(At("/models/attest-lm/versions/2/attestations"));
        Assert.Equal((1, second.Id, envelope.StatementDigest()), (listed.GetArrayLength(), listed[0].GetProperty("approval_id").GetGuid(), listed[0].GetProperty("statement_digest").GetString()));
        var history = (await viewer.GetStringAsync(At("/models/attest-lm/aliases/production/attestations"))).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Envelope.Parse).ToList();
        Assert.Equal([first.Id.ToString(), second.Id.ToString()], history.Select(e => PromotionStatement.Parse(e.Statement()).Predicate.Approval));
        var held = await viewer.GetFromJsonAsync<JsonElement>(At("/models/attest-lm/aliases/production/at"));
        Assert.Equal(envelope.StatementDigest(), held.GetProperty("statement_digest").GetString());
        var card = await viewer.GetStringAsync(At("/models/attest-lm/versions/2/card"));
        Assert.Contains($"signed statement `sha256:{envelope.StatementDigest()}`", card, StringComparison.Ordinal);
        Assert.Contains($"/api/v1/approvals/{second.Id}/attestation", await viewer.GetStringAsync(At("/models/attest-lm/versions/2/bom")), StringComparison.Ordinal);
        Assert.DoesNotContain("PRIVATE", await viewer.GetStringAsync(At("/attestations/keys")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task TamperedBundle_IsFound()
    {
        var request = await PromotedAsync("tampered-lm");
        using var viewer = await product.ProgramAsync(Roles.Viewer);
        Assert.True((await viewer.GetFromJsonAsync<JsonElement>(At($"/approvals/{request.Id}/attestation/check"))).GetProperty("is_good").GetBoolean());
        await product.WriteAsync(db => db.Approvals.Where(a => a.Id == request.Id).ExecuteUpdateAsync(u => u.SetProperty(a => a.EvidenceJson, request.EvidenceJson.Replace("\"MIT\"", "\"none\""))));
        var check = await viewer.GetFromJsonAsync<JsonElement>(At($"/approvals/{request.Id}/attestation/check"));
        Assert.False(check.GetProperty("is_good").GetBoolean());
        Assert.StartsWith("The evidence bundle was changed", check.GetProperty("mismatches")[0].GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rotation_IsForAdministrators_AndLeavesOldStatementsGood()
    {
        var request = await PromotedAsync("rotated-lm");
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var release = await product.ProgramAsync(Roles.ReleaseManager);
        using var admin = await product.ProgramAsync(Roles.Admin);
        foreach (var client in new[] { engineer, release })
        {
            using var refused = await client.PostAsync(At("/attestations/keys/rotate"), null);
            Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        }
        using var rotated = await admin.PostAsync(At("/attestations/keys/rotate"), null);
        var made = (await rotated.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("key_id").GetString()!;
        Assert.Contains(made, await engineer.GetStringAsync(At("/attestations/keys")), StringComparison.Ordinal);
        Assert.True((await engineer.GetFromJsonAsync<JsonElement>(At($"/approvals/{request.Id}/attestation/check"))).GetProperty("is_good").GetBoolean());
    }

    [Fact]
    public async Task WhatIsNotThere_IsSaid()
    {
        var request = await RequestedAsync("waiting-lm");
        using var viewer = await product.ProgramAsync(Roles.Viewer);
        using var waiting = await viewer.GetAsync(At($"/approvals/{request.Id}/attestation"));
        await waiting.EnsureErrorAsync(HttpStatusCode.NotFound, """{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"This request is WaitingForApproval: only a promotion that moved the alias has a signed statement.","request_id":"ID"}""");
        foreach (var path in new[] { $"/approvals/{Guid.Empty}/attestation", $"/approvals/{Guid.Empty}/evidence", "/attestations/keys/none.pem", "/models/none/aliases/production/attestations", "/models/none/versions/1/attestations" })
        {
            using var answer = await viewer.GetAsync(At(path));
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        }
    }

    private async Task<ApprovalRequest> PromotedAsync(string model)
    {
        var request = await RequestedAsync(model);
        await product.Get<DecideApproval>().ApproveAsync(request.Id, "fine", Release);
        return request;
    }

    private async Task<ApprovalRequest> RequestedAsync(string model)
    {
        var folder = Directory.CreateDirectory(Path.Combine(product.Folder, "attest", Guid.NewGuid().ToString("N"))).FullName;
        await File.WriteAllTextAsync(Path.Combine(folder, "content.txt"), folder, Encoding.UTF8);
        var stored = await product.Get<Lifecycle.Artifacts.ArtifactStore>().PutFolderAsync(folder);
        var version = await product.WriteAsync(async db =>
        {
            var made = await db.AddVersionAsync(new(model, "import", stored, 10, "", "", "MIT", "{}", null, null, null), Engineer, DateTimeOffset.UtcNow, default);
            await db.PutVariantAsync(new(made.Id, "fp32", "fp32", stored, null, "{}", null), Engineer, DateTimeOffset.UtcNow, default);
            return made;
        });
        return await product.Get<RequestPromotion>().RequestAsync(version.Key().ToString(), "fp32", "production", Engineer);
    }
}
