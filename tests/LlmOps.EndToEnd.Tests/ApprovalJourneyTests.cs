using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;
using static Microsoft.Playwright.Assertions;

namespace LlmOps.EndToEnd.Tests;

/// <summary>What takes more than two people, in a real browser: the author of a version does not sign it, and where two signatures are needed, one is not enough.</summary>
public sealed class ApprovalJourneyTests(ReleaseOffice office) : IClassFixture<ReleaseOffice>
{
    private const int Refused = 409;
    private const int Forbidden = 403;

    [Fact]
    public async Task Promotion_IsSignedByAThirdPerson_WhoNeitherAskedNorMadeIt()
    {
        Services.Require(File.Exists(Services.Chromium));
        var (model, _, second) = await office.ModelAsync("signed");
        var (rita, mara, rosa) = (await office.OfAsync("rita"), await office.OfAsync("mara"), await office.OfAsync("rosa"));
        var before = DateTimeOffset.UtcNow;

        var request = await rita.RequestPromotionAsync(model, 2);
        await Expect(rita.Text("You asked for this promotion. A second person has to decide.")).ToBeVisibleAsync();
        await Expect(rita.Button("Approve")).ToBeDisabledAsync();
        await IsRefusedAsync(rita, request, Forbidden, "You asked for this promotion");

        await mara.OpenAsync($"/approvals/{request}");
        await Expect(mara.Text("You had this version made. Somebody who did not has to decide.")).ToBeVisibleAsync();
        await Expect(mara.Button("Approve")).ToBeDisabledAsync();
        await IsRefusedAsync(mara, request, Forbidden, "You had this version made");
        await IsRefusedAsync(await office.OfAsync("erin"), request, Forbidden, "can decide");
        Assert.Null(await office.HolderAsync(model));

        // The evidence first: what was measured, with its interval and its n.
        await rosa.OpenAsync($"/approvals/{request}");
        var numbers = rosa.Page.Locator("table.plain").First;
        await Expect(numbers).ToContainTextAsync(new Regex(@"80(\.0+)?\s%"));
        await Expect(numbers).ToContainTextAsync("40");
        await rosa.ApproveAsync(request, "Better on all forty rows.");
        await Expect(rosa.Text("rosa decided")).ToBeVisibleAsync();
        await Expect(rosa.Text("Better on all forty rows.")).ToBeVisibleAsync();
        Assert.Equal("2 int8", await office.HolderAsync(model));

        await rosa.OpenAsync($"/models/{model}?tab=aliases");
        await rosa.Button("Look").ClickAsync();
        await Expect(rosa.Page.GetByRole(Microsoft.Playwright.AriaRole.Status).Filter(new() { HasText = "on the word of rosa" })).ToContainTextAsync($"{model}/2 int8");
        Assert.Equal(204, (await rosa.GetAsync($"/api/v1/models/{model}/aliases/production/at?at={Iso(before)}")).Status);
        var now = await rosa.GetAsync($"/api/v1/models/{model}/aliases/production/at");
        Assert.Equal("rosa", JsonDocument.Parse(now.Body).RootElement.GetProperty("on_whose_word")[0].GetString());
        Assert.Equal(second.ArtifactDigest, await office.Product.ReadAsync(db => db.ModelVersions.Where(v => v.Id == second.Id).Select(v => v.ArtifactDigest).SingleAsync()));
    }

    [Fact]
    public async Task ChangedInput_VoidsTheFirstSignature_AndThePageSaysWhatChanged()
    {
        Services.Require(File.Exists(Services.Chromium));
        var (model, _, second) = await office.ModelAsync("two");
        var (rita, rosa, rolf, ada) = (await office.OfAsync("rita"), await office.OfAsync("rosa"), await office.OfAsync("rolf"), await office.OfAsync("ada"));
        await ada.OpenAsync($"/models/{model}?tab=aliases");
        await ada.Button("Change the environments…").ClickAsync();
        var production = ada.Page.Locator("dialog[open] fieldset").Filter(new() { HasText = "production" });
        await production.Locator("input[type=number]").FillAsync("0");
        await ada.Button("Save the environments").ClickAsync();
        await Expect(production.GetByText("'production' asks for 0 approvals.")).ToBeVisibleAsync();
        await production.Locator("input[type=number]").FillAsync("2");
        await ada.Button("Save the environments").ClickAsync();
        await Expect(ada.Page.Locator("dialog[open]")).ToHaveCountAsync(0);
        await Expect(ada.Page.GetByRole(Microsoft.Playwright.AriaRole.Row, new() { Name = "production 2" })).ToBeVisibleAsync();

        var first = await rita.RequestPromotionAsync(model, 2);
        await rosa.ApproveAsync(first, "The numbers are fine.");
        await Expect(rosa.Text("Signatures: 1 of 2")).ToBeVisibleAsync();
        Assert.Null(await office.HolderAsync(model));
        // The same signature once more is not the second one.
        var old = await DigestAsync(first);
        await IsRefusedAsync(rosa, first, Refused, "You signed this already", old);

        // Rolf reads; meanwhile Rita describes the model, which is part of the card that is signed.
        await rolf.OpenAsync($"/approvals/{first}");
        await rita.OpenAsync($"/models/{model}?tab=about");
        await rita.Button("Describe it").ClickAsync();
        await rita.Page.Locator("#description").FillAsync("Answers about animals. Not for medicine.");
        await rita.Button("Save").ClickAsync();
        await Expect(rita.Button("Edit")).ToBeVisibleAsync();
        await rolf.PressApproveAsync();
        await Expect(rolf.Page.Locator("p.form-error").First).ToContainTextAsync("Void. The evidence changed after the request: the model card changed");
        Assert.Null(await office.HolderAsync(model));
        await IsRefusedAsync(rolf, first, Refused, "Voided already");

        // A new result does the same to the next request.
        var next = await rita.RequestPromotionAsync(model, 2);
        await IsRefusedAsync(rosa, next, Refused, "You sign the evidence", old);
        await rosa.ApproveAsync(next, "Still fine.");
        await Expect(rosa.Text("Signatures: 1 of 2")).ToBeVisibleAsync();
        await office.MeasureAsync(second, 0.4);
        await rolf.OpenAsync($"/approvals/{next}");
        await rolf.PressApproveAsync();
        await Expect(rolf.Page.Locator("p.form-error").First).ToContainTextAsync("int8 was measured again");
        Assert.Null(await office.HolderAsync(model));

        var last = await rita.RequestPromotionAsync(model, 2);
        await rosa.ApproveAsync(last, "Worse, and said so.");
        await Expect(rosa.Text("Signatures: 1 of 2")).ToBeVisibleAsync();
        await rolf.ApproveAsync(last, "Agreed for the trial.");
        await Expect(rolf.Text("rolf decided")).ToBeVisibleAsync();
        Assert.Equal("2 int8", await office.HolderAsync(model));
        var word = JsonDocument.Parse((await rolf.GetAsync($"/api/v1/models/{model}/aliases/production/at")).Body).RootElement.GetProperty("on_whose_word");
        Assert.Equal(["rosa", "rolf"], word.EnumerateArray().Select(w => w.GetString()));
        // What moved the alias moves nothing a second time.
        await IsRefusedAsync(rolf, last, Refused, "Approved already");
    }

    /// <summary>The request stays as it is whoever sends this, and the answer says why.</summary>
    private static async Task IsRefusedAsync(Desk desk, Guid request, int expected, string reason, string? digest = null)
    {
        var (status, body) = await desk.PostAsync($"/api/v1/approvals/{request}/approve", new { comment = "over HTTP", evidence_digest = digest });
        Assert.True(status == expected && body.Contains(reason, StringComparison.Ordinal), $"Expected {expected} with '{reason}', and got {status}: {body}");
    }

    private Task<string> DigestAsync(Guid request) => office.Product.ReadAsync(db => db.Approvals.Where(a => a.Id == request).Select(a => a.EvidenceDigest).SingleAsync());

    private static string Iso(DateTimeOffset at) => Uri.EscapeDataString(at.ToString("O", CultureInfo.InvariantCulture));
}
