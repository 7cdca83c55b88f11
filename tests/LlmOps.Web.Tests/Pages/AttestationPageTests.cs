using Bunit;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Web.Components.Pages.Approvals;
using LlmOps.Web.Components.Pages.Models;
using LlmOps.Web.Components.Pages.Settings;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Tests.Pages;

public sealed class AttestationPageTests : OperationPages
{
    private Task<ApprovalRequest> ApprovedAsync() => Product.ReadAsync(db => db.Approvals.AsNoTracking().FirstAsync(a => a.State == ApprovalState.Approved));

    [Fact]
    public async Task ApprovalPage_OffersTheStatement_OnceTheLastSignatureIsGiven()
    {
        var page = Open<ApprovalPage>(Product.Rosa, "/", p => p.Add(x => x.Id, Lived.Waiting.Id));
        page.WaitForAssertion(() => Assert.Contains("With the last signature that is needed the server signs", page.Markup, StringComparison.Ordinal));
        Assert.Empty(page.FindAll("a[href$='/attestation']"));
        Button(page, "Approve").Click();
        page.WaitForAssertion(() => Assert.Contains("still as they were signed", page.Markup, StringComparison.Ordinal));
        Assert.Equal($"/api/v1/approvals/{Lived.Waiting.Id}/attestation", page.Find("a[href$='/attestation']").GetAttribute("href"));
        Assert.Single(page.FindAll($"a[href='/api/v1/approvals/{Lived.Waiting.Id}/evidence']"));
        var key = await Product.ReadAsync(db => db.SigningKeys.SingleAsync());
        Assert.Single(page.FindAll($"a[href='/api/v1/attestations/keys/{key.KeyId}.pem']"));
        Assert.Contains("llmops verify tiny-lm-2-int8-production.attestation.json --key", page.Markup, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ApprovalPage_SaysSo_WhenTheBundleWasEditedAfterwards()
    {
        var request = await ApprovedAsync();
        await Product.ReadAsync(db => db.Approvals.Where(a => a.Id == request.Id).ExecuteUpdateAsync(u => u.SetProperty(a => a.EvidenceJson, request.EvidenceJson.Replace("\"MIT\"", "\"none\""))));
        var page = Open<ApprovalPage>(Product.Victor, "/", p => p.Add(x => x.Id, request.Id));
        page.WaitForAssertion(() => Assert.Contains("The records are not as they were signed", page.Find("#statement [role=alert]").TextContent, StringComparison.Ordinal));
        Assert.Contains("The evidence bundle was changed", page.Find("#statement li").TextContent, StringComparison.Ordinal);
        // Also at the top, where nobody can miss it.
        Assert.Contains("Changed after it was signed", page.FindAll("[role=alert]")[0].TextContent, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keys_AreListed_AndAnAdministratorRotates()
    {
        var first = await Product.ReadAsync(db => db.SigningKeys.SingleAsync());
        var page = Open<SigningKeyList>(Product.Rosa);
        page.WaitForAssertion(() => Assert.Contains(first.KeyId[..16], page.Markup, StringComparison.Ordinal));
        Assert.True(Button(page, "Rotate the key").HasAttribute("disabled"));
        page = Open<SigningKeyList>(Product.Ada);
        page.WaitForAssertion(() => Assert.False(Button(page, "Rotate the key").HasAttribute("disabled")));
        Button(page, "Rotate the key").Click();
        page.Find("dialog input").Input("rotate");
        page.FindAll("dialog button").Last(b => b.TextContent.Trim() == "Rotate").Click();
        page.WaitForAssertion(() => Assert.Contains("Retired", page.Markup, StringComparison.Ordinal));
        Assert.Equal(2, await Product.ReadAsync(db => db.SigningKeys.CountAsync()));
    }
}

public sealed class AliasStatementTests : RecordPages
{
    [Fact]
    public async Task AliasHistory_LeadsToTheStatements()
    {
        await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        var model = await Product.Get<LlmOps.Lifecycle.Registry.ReadModels>().GetAsync("tiny-lm");
        var request = await Product.ReadAsync(db => db.AliasMoves.Select(m => m.ApprovalId).FirstAsync());
        var history = Render<AliasHistory>(p => p.Add(x => x.Model, model));
        history.WaitForAssertion(() => Assert.Single(history.FindAll($"a[href='/api/v1/approvals/{request}/attestation']")));
        Assert.Single(history.FindAll("a[href='/api/v1/models/tiny-lm/aliases/production/attestations']"));
    }
}
