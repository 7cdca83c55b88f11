using LlmOps.Lifecycle.Identity;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Identity;

public abstract class TokenTests(DatabaseProvider provider) : ProductTests(provider)
{
    private ManageTokens Tokens => Get<ManageTokens>();

    private async Task<Actor> EveAsync(params string[] roles)
    {
        var eve = await Get<ManagePeople>().CreateAsync("eve", "Eve", null, roles.Length > 0 ? roles : [Roles.Engineer], Product.Ada);
        return (await Get<ManagePeople>().FindActorAsync(eve.Id))!;
    }

    [Fact]
    public async Task Secret_IsShownOnce_AndStoredNowhere()
    {
        var made = await Tokens.CreateAsync("ci", [Permission.Read], null, await EveAsync());
        Assert.StartsWith("llmops_", made.Secret, StringComparison.Ordinal);
        Assert.Equal(64, made.Secret["llmops_".Length..].Length);
        var rows = await DatabaseText.ReadAsync(Product);
        Assert.DoesNotContain(made.Secret, rows, StringComparison.Ordinal);
        Assert.DoesNotContain(made.Secret["llmops_".Length..], rows, StringComparison.Ordinal);
        Assert.Contains(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(made.Secret))), rows, StringComparison.Ordinal);
        Assert.Equal("eve", (await Tokens.FindActorAsync(made.Secret))?.Name);
    }

    [Fact]
    public async Task Token_CanDoWhatItsScopesAllow_AndNoMore()
    {
        var made = await Tokens.CreateAsync("ci", [Permission.Read, Permission.RunPipelines], null, await EveAsync());
        var actor = (await Tokens.FindActorAsync(made.Secret))!;
        Assert.Equal([Permission.Read, Permission.RunPipelines], actor.Permissions.Order());
    }

    [Fact]
    public async Task Token_CanDoNoMoreThanItsOwner_AlsoAfterARoleWasTakenAway()
    {
        var eve = await EveAsync();
        var made = await Tokens.CreateAsync("ci", [Permission.Read, Permission.RunPipelines], null, eve);
        await Get<ManagePeople>().ChangeAsync(eve.Id, [Roles.Viewer], false, Product.Ada);
        Assert.Equal([Permission.Read], (await Tokens.FindActorAsync(made.Secret))!.Permissions);
        await RefusedAsync(ErrorCode.PermissionDenied, () => Tokens.CreateAsync("more", [Permission.Read, Permission.Approve], null, eve));
    }

    [Fact]
    public async Task Token_Ends_WhenItIsRevoked()
    {
        var eve = await EveAsync();
        var made = await Tokens.CreateAsync("ci", [Permission.Read], null, eve);
        await RefusedAsync(ErrorCode.PermissionDenied, () => Tokens.RevokeAsync(made.Token.Id, Product.Alice));
        Assert.NotNull(await Tokens.FindActorAsync(made.Secret));
        await Tokens.RevokeAsync(made.Token.Id, eve);
        Assert.Null(await Tokens.FindActorAsync(made.Secret));
        var other = await Tokens.CreateAsync("ci", [Permission.Read], null, eve);
        await Tokens.RevokeAsync(other.Token.Id, Product.Ada);
        Assert.Null(await Tokens.FindActorAsync(other.Secret));
    }

    [Fact]
    public async Task Token_Ends_WhenItExpires()
    {
        var made = await Tokens.CreateAsync("ci", [Permission.Read], Product.Clock.GetUtcNow().AddDays(1), await EveAsync());
        Assert.NotNull(await Tokens.FindActorAsync(made.Secret));
        Product.Clock.Advance(TimeSpan.FromDays(2));
        Assert.Null(await Tokens.FindActorAsync(made.Secret));
    }

    [Fact]
    public async Task Token_Sleeps_WhileItsOwnerIsDisabled()
    {
        var eve = await EveAsync();
        var made = await Tokens.CreateAsync("ci", [Permission.Read], null, eve);
        await Get<ManagePeople>().ChangeAsync(eve.Id, [Roles.Engineer], disabled: true, Product.Ada);
        Assert.Null(await Tokens.FindActorAsync(made.Secret));
        Assert.Null(await Get<ManagePeople>().FindActorAsync("eve"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("llmops_")]
    [InlineData("llmops_0000000000000000000000000000000000000000000000000000000000000000")]
    [InlineData("other_0000000000000000000000000000000000000000000000000000000000000000")]
    public async Task UnknownSecret_IsNobody(string secret)
    {
        await Tokens.CreateAsync("ci", [Permission.Read], null, await EveAsync());
        Assert.Null(await Tokens.FindActorAsync(secret));
    }

    [Fact]
    public async Task HashOfAToken_IsNoToken()
    {
        var made = await Tokens.CreateAsync("ci", [Permission.Read], null, await EveAsync());
        Assert.Null(await Tokens.FindActorAsync(made.Token.Hash));
        Assert.Null(await Tokens.FindActorAsync("llmops_" + made.Token.Hash));
    }

    [Fact]
    public async Task LastUse_IsWritten_AtMostOnceAMinute()
    {
        var made = await Tokens.CreateAsync("ci", [Permission.Read], null, await EveAsync());
        Task<DateTimeOffset?> LastUse() => ReadAsync(db => db.ApiTokens.Select(t => t.LastUsedAt).SingleAsync());
        await Tokens.FindActorAsync(made.Secret);
        var first = await LastUse();
        await Tokens.FindActorAsync(made.Secret);
        Assert.Equal(first, await LastUse());
        Product.Clock.Advance(TimeSpan.FromMinutes(2));
        await Tokens.FindActorAsync(made.Secret);
        Assert.True(await LastUse() > first);
    }

    [Fact]
    public async Task Create_NeedsANameAndAScope()
    {
        var eve = await EveAsync();
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => Tokens.CreateAsync(" ", [Permission.Read], null, eve));
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => Tokens.CreateAsync("ci", [], null, eve));
        Assert.Equal(0, await CountAsync(db => db.ApiTokens));
    }
}

public sealed class TokensOnSqlite() : TokenTests(DatabaseProvider.Sqlite);

public sealed class TokensOnPostgres() : TokenTests(DatabaseProvider.Postgres);
