using System.Text;
using System.Text.RegularExpressions;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace LlmOps.EndToEnd.Tests;

/// <summary>
/// Two people take a model to production and back in a real browser, on a real server; whatever must not work is tried as well, in the page and past it
/// over HTTP. The records are made before: no model is trained here.
/// </summary>
public sealed class PromotionJourneyTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private static readonly Dictionary<string, double[]> Good = new() { ["preference"] = [1, 1, 1, 0, 1, 1, 1, 1, 0, 1] }, Better = new() { ["preference"] = [1, 1, 1, 1, 1, 1, 1, 1, 0, 1] };

    [Fact]
    public async Task TwoPeople_PromoteAndRollBack_AndNothingPassesThem()
    {
        Services.Require(File.Exists(Services.Chromium));
        await using var product = await TestProduct.CreateAsync(DatabaseProvider.Sqlite);
        var (first, second) = (await product.VersionAsync("words-lm", "fp32", "int8"), await product.VersionAsync("words-lm", "fp32", "int8"));
        await product.EvaluationAsync(first.Id, "int8", Good);
        await product.EvaluationAsync(second.Id, "int8", Better);
        var settings = new Dictionary<string, string>(product.ProcessSettings) { ["Quickstart__Pipeline"] = "", ["Logging__LogLevel__Default"] = "Warning" };
        await using var web = await WebProcess.StartAsync(settings, "--quickstart");
        try
        {
            await using var session = await BrowserSession.StartAsync(web);
            var journey = new Journey(session, product, settings, await session.AdministratorAsync(), await session.ReleaseManagerAsync());
            var promoted = await journey.PromoteAsync(first);
            await journey.ReplayAsync(promoted);
            await journey.ChangeWhatIsSignedAsync(second);
            await journey.LetItExpireAsync(second);
            await journey.WithdrawAsync(second);
            await journey.OverrideAsync(second);
            await journey.RollBackAsync();
            await journey.VerifyOfflineAsync(promoted);
            await journey.TamperWithTheBundleAsync(promoted);
            await journey.TamperWithTheAuditAsync();
            Assert.Empty(session.Foreign);
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"{e.Message}\nThe server said last:\n{string.Join('\n', web.Output.Split('\n').TakeLast(40))}", e);
        }
    }

    private sealed class Journey(BrowserSession session, TestProduct product, Dictionary<string, string> settings, IPage asker, IPage signer)
    {
        public async Task<Guid> PromoteAsync(ModelVersion version)
        {
            await session.GoAsync(asker, $"/models/words-lm/{version.Number}");
            await asker.GetByRole(AriaRole.Button, new() { Name = "Request promotion…" }).ClickAsync();
            await asker.GetByRole(AriaRole.Dialog).Locator("select").SelectOptionAsync("int8");
            await asker.GetByRole(AriaRole.Button, new() { Name = "Request promotion", Exact = true }).ClickAsync();
            await asker.WaitForURLAsync("**/approvals/**");
            await BrowserSession.InteractiveAsync(asker);
            var id = Guid.Parse(new Uri(asker.Url).Segments[^1]);

            // Whoever asked cannot decide: not in the page, and not past it.
            await Expect(asker.GetByText("A second person has to decide").First).ToBeVisibleAsync();
            await Expect(asker.GetByRole(AriaRole.Button, new() { Name = "Approve", Exact = true })).ToBeDisabledAsync();
            await RefusedAsync(asker, id, 403, "A second person has to decide");
            Assert.Equal(ApprovalState.WaitingForApproval, await StateAsync(id));

            await OpenAsync(signer, id);
            await Expect(signer.GetByText("Preference: accuracy").First).ToBeVisibleAsync();
            await ApproveAsync("Nine of ten are right.");
            await Expect(signer.GetByText("Signatures: 1 of 1")).ToBeVisibleAsync();
            Assert.Equal(ApprovalState.Approved, await StateAsync(id));
            await Expect(signer.GetByText("The records are still as they were signed")).ToBeVisibleAsync();

            await session.GoAsync(asker, "/models/words-lm?tab=aliases");
            await asker.GetByRole(AriaRole.Button, new() { Name = "Look" }).ClickAsync();
            // Looked up at the minute the page was opened in, when the alias may not have moved yet; a minute later it has.
            await asker.GetByLabel("Time (UTC)").FillAsync(DateTime.UtcNow.AddMinutes(2).ToString("yyyy-MM-ddTHH:mm", System.Globalization.CultureInfo.InvariantCulture));
            await asker.GetByRole(AriaRole.Button, new() { Name = "Look" }).ClickAsync();
            await Expect(asker.GetByText("on the word of")).ToContainTextAsync("release");
            return id;
        }

        /// <summary>A signature is for one request and one person, and cannot be sent again.</summary>
        public async Task ReplayAsync(Guid promoted)
        {
            var digest = (await product.ReadAsync(db => db.Approvals.AsNoTracking().SingleAsync(a => a.Id == promoted))).EvidenceDigest;
            await RefusedAsync(signer, promoted, 409, "already", digest);
            var next = await RequestAsync(2);
            await RefusedAsync(signer, next, 409, "Read the request again", digest);
            Assert.Equal(ApprovalState.WaitingForApproval, await StateAsync(next));
            await session.SendAsync(asker, "POST", $"/api/v1/approvals/{next}/withdraw", new { comment = "only to see whether it can be replayed" });
        }

        /// <summary>The page is open with the old evidence when somebody changes what the card says.</summary>
        public async Task ChangeWhatIsSignedAsync(ModelVersion version)
        {
            var id = await RequestAsync(version.Number);
            await OpenAsync(signer, id);
            await signer.Locator("textarea").First.FillAsync("Looks right.");
            await session.GoAsync(asker, "/models/words-lm?tab=about");
            await asker.GetByRole(AriaRole.Button, new() { Name = "Describe it" }).ClickAsync();
            await asker.FillAsync("#description", "For words, not for medicine.");
            await asker.GetByRole(AriaRole.Button, new() { Name = "Save" }).ClickAsync();
            await Expect(asker.GetByText("For words, not for medicine.")).ToBeVisibleAsync();

            // The clock closes requests whose evidence changed, too, and may be first: then the button cannot be pressed any more, and the page says the same.
            await signer.GetByRole(AriaRole.Button, new() { Name = "Approve", Exact = true }).DispatchEventAsync("click");
            await Expect(signer.GetByText("The evidence changed after the request").First).ToContainTextAsync("the model card changed");
            Assert.Equal(ApprovalState.Voided, await StateAsync(id));
            await RefusedAsync(signer, id, 409, "void");
            Assert.Equal(1, await HoldsAsync());
        }

        public async Task LetItExpireAsync(ModelVersion version)
        {
            var id = await RequestAsync(version.Number);
            await product.ReadAsync(db => db.Approvals.Where(a => a.Id == id).ExecuteUpdateAsync(u => u.SetProperty(a => a.ExpiresAt, DateTimeOffset.UtcNow.AddSeconds(-1))));
            await OpenAsync(signer, id);
            await Expect(signer.GetByText(new Regex("has expired|is Expired already")).First).ToBeVisibleAsync();
            await RefusedAsync(signer, id, 409, "xpired");
            Assert.Equal(1, await HoldsAsync());
        }

        public async Task WithdrawAsync(ModelVersion version)
        {
            var id = await RequestAsync(version.Number);
            await OpenAsync(signer, id);
            await signer.Locator("textarea").First.FillAsync("Which rows got worse?");
            await signer.GetByRole(AriaRole.Button, new() { Name = "Comment only" }).ClickAsync();
            await OpenAsync(asker, id);
            await Expect(asker.GetByText("Which rows got worse?").First).ToBeVisibleAsync();
            await asker.GetByRole(AriaRole.Button, new() { Name = "Withdraw" }).ClickAsync();
            await Expect(asker.GetByText("Withdrawn").First).ToBeVisibleAsync();
            await RefusedAsync(signer, id, 409, "Withdrawn");
        }

        /// <summary>Needs a reason and an administrator who is not the one who asks; here the release manager asks.</summary>
        public async Task OverrideAsync(ModelVersion version)
        {
            var without = await session.SendAsync(signer, "POST", "/api/v1/promotions", new { version = $"words-lm/{version.Number}", variant = "int8", alias = "production", kind = "override" });
            Assert.Equal(400, without.Status);
            Assert.Contains("Say why", await without.TextAsync(), StringComparison.Ordinal);
            var id = await RequestAsync(version.Number, signer, "override", "The one in production answers nothing since noon.");
            await RefusedAsync(signer, id, 403, "administrator");
            await OpenAsync(asker, id);
            await Expect(asker.GetByRole(AriaRole.Alert).First).ToContainTextAsync("answers nothing since noon");
            await asker.Locator("textarea").First.FillAsync("Seen it too.");
            await asker.GetByRole(AriaRole.Button, new() { Name = "Approve", Exact = true }).ClickAsync();
            await Expect(asker.GetByText("Signatures: 1 of 1")).ToBeVisibleAsync();
            Assert.Equal(2, await HoldsAsync());
        }

        public async Task RollBackAsync()
        {
            await session.GoAsync(asker, "/models/words-lm?tab=aliases");
            await asker.GetByRole(AriaRole.Button, new() { Name = "Roll back" }).First.ClickAsync();
            await asker.WaitForURLAsync("**/approvals/**");
            var id = Guid.Parse(new Uri(asker.Url).Segments[^1]);
            await OpenAsync(signer, id);
            await Expect(signer.Locator("h1")).ToContainTextAsync("Roll back to words-lm/1");
            await ApproveAsync("Back to what worked.");
            await Expect(signer.GetByText("Signatures: 1 of 1")).ToBeVisibleAsync();
            Assert.Equal(1, await HoldsAsync());
        }

        /// <summary>What was downloaded is checked without the server; a changed letter in the statement, the evidence or a file is found.</summary>
        public async Task VerifyOfflineAsync(Guid promoted)
        {
            var folder = Directory.CreateDirectory(Path.Combine(product.Folder, "downloads")).FullName;
            async Task<string> SaveAsync(string path, string name)
            {
                var answer = await session.SendAsync(signer, "GET", path);
                Assert.True(answer.Ok, await answer.TextAsync());
                await File.WriteAllBytesAsync(Path.Combine(folder, name), await answer.BodyAsync());
                return Path.Combine(folder, name);
            }
            var statement = await SaveAsync($"/api/v1/approvals/{promoted}/attestation", "statement.json");
            var evidence = await SaveAsync($"/api/v1/approvals/{promoted}/evidence", "evidence.json");
            var keyId = (await product.ReadAsync(db => db.Attestations.AsNoTracking().SingleAsync(a => a.ApprovalId == promoted))).KeyId;
            var key = await SaveAsync($"/api/v1/attestations/keys/{keyId}.pem", "key.pem");
            var digest = await product.ReadAsync(db => db.ModelVariants.Where(v => v.Name == "int8").OrderBy(v => v.CreatedAt).Select(v => v.ArtifactDigest).FirstAsync());
            var files = Path.Combine(folder, "files");
            Directory.CreateDirectory(files);
            foreach (var file in Directory.EnumerateFiles(await product.Artifacts.FolderAsync(digest)))
                File.Copy(file, Path.Combine(files, Path.GetFileName(file)));
            string[] check = ["verify", statement, "--key", key, "--artifact", files, "--bundle", evidence];
            await ExitsAsync(0, "", check);

            var bundle = await File.ReadAllTextAsync(evidence);
            await File.WriteAllTextAsync(evidence, bundle.Replace("\"licence\":\"MIT\"", "\"licence\":\"Apache-2.0\"", StringComparison.Ordinal));
            Assert.NotEqual(bundle, await File.ReadAllTextAsync(evidence));
            await ExitsAsync(1, "evidence", check);
            await File.WriteAllTextAsync(evidence, bundle);

            await File.AppendAllTextAsync(Directory.EnumerateFiles(files).First(), "x");
            await ExitsAsync(1, Path.GetFileName(Directory.EnumerateFiles(files).First()), check);

            var envelope = System.Text.Json.Nodes.JsonNode.Parse(await File.ReadAllTextAsync(statement))!;
            var payload = Encoding.UTF8.GetString(Convert.FromBase64String(envelope["payload"]!.GetValue<string>()));
            envelope["payload"] = Convert.ToBase64String(Encoding.UTF8.GetBytes(payload.Replace("words-lm/1", "words-lm/2", StringComparison.Ordinal)));
            await File.WriteAllTextAsync(statement, envelope.ToJsonString());
            await ExitsAsync(1, "signature", "verify", statement, "--key", key);
        }

        /// <summary>Whoever edits what was signed, and its stored digest with it, is found by the signed statement; and so is who deletes that.</summary>
        public async Task TamperWithTheBundleAsync(Guid promoted)
        {
            var request = await product.ReadAsync(db => db.Approvals.AsNoTracking().SingleAsync(a => a.Id == promoted));
            var edited = request.EvidenceJson.Replace("\"licence\":\"MIT\"", "\"licence\":\"Apache-2.0\"", StringComparison.Ordinal);
            await product.ReadAsync(db => db.Approvals.Where(a => a.Id == promoted).ExecuteUpdateAsync(u => u.SetProperty(a => a.EvidenceJson, edited).SetProperty(a => a.EvidenceDigest, Lifecycle.Data.CanonicalJson.Digest(edited))));
            await OpenAsync(signer, promoted);
            await Expect(signer.GetByRole(AriaRole.Alert).First).ToContainTextAsync("The evidence bundle was changed");
            await ExitsAsync(1, "The evidence bundle was changed", "attest", "show", "words-lm/1");
            await product.ReadAsync(db => db.Attestations.Where(a => a.ApprovalId == promoted).ExecuteDeleteAsync());
            await OpenAsync(signer, promoted);
            await Expect(signer.GetByText("somebody has removed it")).ToBeVisibleAsync();
        }

        /// <summary>Somebody with the database file makes the refusal of a signature look like another person's deed.</summary>
        public async Task TamperWithTheAuditAsync()
        {
            await ExitsAsync(0, "", "audit", "verify");
            await session.GoAsync(asker, "/audit");
            await asker.GetByRole(AriaRole.Button, new() { Name = "Verify the chain" }).ClickAsync();
            await Expect(asker.GetByText(new Regex("entries is intact"))).ToBeVisibleAsync();
            Assert.Equal(1, await product.ReadAsync(db => db.Database.ExecuteSqlRawAsync("UPDATE audit SET \"ActorName\" = 'somebody else' WHERE \"Id\" = (SELECT MIN(\"Id\") FROM audit WHERE \"Action\" = 'approve')")));
            await ExitsAsync(1, "approve", "audit", "verify");
            await session.GoAsync(asker, "/audit");
            await asker.GetByRole(AriaRole.Button, new() { Name = "Verify the chain" }).ClickAsync();
            await Expect(asker.GetByText("The audit trail was changed.")).ToBeVisibleAsync();
        }

        private async Task<Guid> RequestAsync(int number, IPage? by = null, string kind = "promotion", string? reason = null)
        {
            var answer = await session.SendAsync(by ?? asker, "POST", "/api/v1/promotions", new { version = $"words-lm/{number}", variant = "int8", alias = "production", kind, reason });
            Assert.True(answer.Status == 201, await answer.TextAsync());
            return (await answer.JsonAsync())!.Value.GetProperty("id").GetGuid();
        }

        private Task OpenAsync(IPage page, Guid id) => session.GoAsync(page, $"/approvals/{id}");

        private async Task ApproveAsync(string comment)
        {
            await signer.Locator("textarea").First.FillAsync(comment);
            await signer.GetByRole(AriaRole.Button, new() { Name = "Approve", Exact = true }).ClickAsync();
        }

        private async Task RefusedAsync(IPage page, Guid id, int status, string why, string? digest = null)
        {
            var answer = await session.SendAsync(page, "POST", $"/api/v1/approvals/{id}/approve", new { comment = "past the page", evidence_digest = digest });
            Assert.Equal((status, true), (answer.Status, (await answer.TextAsync()).Contains(why, StringComparison.Ordinal)));
        }

        private Task<ApprovalState> StateAsync(Guid id) => product.ReadAsync(db => db.Approvals.Where(a => a.Id == id).Select(a => a.State).SingleAsync());

        private Task<int> HoldsAsync() => product.ReadAsync(db => db.Aliases.Join(db.ModelVersions, a => a.VersionId, v => v.Id, (_, v) => v.Number).SingleAsync());

        private async Task ExitsAsync(int code, string says, params string[] arguments)
        {
            await using var process = ProductProcess.Start(Repository.Built("LlmOps.Cli", "llmops.dll"), arguments, settings);
            Assert.True(await process.ExitCodeAsync(Patience) == code, process.Output);
            Assert.Contains(says, process.Output, StringComparison.OrdinalIgnoreCase);
        }
    }
}
