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
        Assert.Equal("eve", (await Tokens.FindAsync(made.Secret))?.Actor.Name);
    }

    [Fact]
    public async Task Token_CanDoWhatItsScopesAllow_AndNoMore()
    {
        var made = await Tokens.CreateAsync("ci", [Permission.Read, Permission.RunPipelines], null, await EveAsync());
        var actor = (await Tokens.FindAsync(made.Secret))!.Actor;
        Assert.Equal([Permission.Read, Permission.RunPipelines], actor.Permissions.Order());
    }

    [Fact]
    public async Task Token_CanDoNoMoreThanItsOwner_AlsoAfterARoleWasTakenAway()
    {
        var eve = await EveAsync();
        var made = await Tokens.CreateAsync("ci", [Permission.Read, Permission.RunPipelines], null, eve);
        await Get<ManagePeople>().ChangeAsync(eve.Id, [Roles.Viewer], false, Product.Ada);
        Assert.Equal([Permission.Read], (await Tokens.FindAsync(made.Secret))!.Actor.Permissions);
        await RefusedAsync(ErrorCode.PermissionDenied, () => Tokens.CreateAsync("more", [Permission.Read, Permission.Approve], null, eve));
    }

    [Fact]
    public async Task Token_Ends_WhenItIsRevoked()
    {
        var eve = await EveAsync();
        var made = await Tokens.CreateAsync("ci", [Permission.Read], null, eve);
        await RefusedAsync(ErrorCode.PermissionDenied, () => Tokens.RevokeAsync(made.Token.Id, Product.Alice));
        Assert.NotNull(await Tokens.FindAsync(made.Secret));
        await Tokens.RevokeAsync(made.Token.Id, eve);
        Assert.Null(await Tokens.FindAsync(made.Secret));
        var other = await Tokens.CreateAsync("ci", [Permission.Read], null, eve);
        await Tokens.RevokeAsync(other.Token.Id, Product.Ada);
        Assert.Null(await Tokens.FindAsync(other.Secret));
    }

    [Fact]
    public async Task Token_Ends_WhenItExpires()
    {
        var made = await Tokens.CreateAsync("ci", [Permission.Read], Product.Clock.GetUtcNow().AddDays(1), await EveAsync());
        Assert.NotNull(await Tokens.FindAsync(made.Secret));
        Product.Clock.Advance(TimeSpan.FromDays(2));
        Assert.Null(await Tokens.FindAsync(made.Secret));
    }

    [Fact]
    public async Task Token_Sleeps_WhileItsOwnerIsDisabled()
    {
        var eve = await EveAsync();
        var made = await Tokens.CreateAsync("ci", [Permission.Read], null, eve);
        await Get<ManagePeople>().ChangeAsync(eve.Id, [Roles.Engineer], disabled: true, Product.Ada);
        Assert.Null(await Tokens.FindAsync(made.Secret));
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
        Assert.Null(await Tokens.FindAsync(secret));
    }

    [Fact]
    public async Task HashOfAToken_IsNoToken()
    {
        var made = await Tokens.CreateAsync("ci", [Permission.Read], null, await EveAsync());
        Assert.Null(await Tokens.FindAsync(made.Token.Hash));
        Assert.Null(await Tokens.FindAsync("llmops_" + made.Token.Hash));
    }

    [Fact]
    public async Task LastUse_IsWritten_AtMostOnceAMinute()
    {
        var made = await Tokens.CreateAsync("ci", [Permission.Read], null, await EveAsync());
        Task<DateTimeOffset?> LastUse() => ReadAsync(db => db.ApiTokens.Select(t => t.LastUsedAt).SingleAsync());
        await Tokens.FindAsync(made.Secret);
        var first = await LastUse();
        await Tokens.FindAsync(made.Secret);
        Assert.Equal(first, await LastUse());
        Product.Clock.Advance(TimeSpan.FromMinutes(2));
        await Tokens.FindAsync(made.Secret);
        Assert.True(await LastUse() > first);
    }

    [Fact]
    public async Task Limits_AreNarrowedByTheOwner_AndLeftAloneWhereAnAdministratorSetThem()
    {
        var eve = await EveAsync();
        var made = await Tokens.CreateAsync("ci", [Permission.Read], null, eve, new(RequestsPerMinute: 10));
        Assert.Equal(new TokenLimits(RequestsPerMinute: 10), (await Tokens.FindAsync(made.Secret))!.Limits);
        await Tokens.LimitAsync(made.Token.Id, new(TokensPerMinute: 500, Concurrent: 2), eve);
        Assert.Equal(new TokenLimits(null, 500, 2), (await Tokens.FindAsync(made.Secret))!.Limits);
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => Tokens.LimitAsync(made.Token.Id, new(Concurrent: -1), eve));
        await RefusedAsync(ErrorCode.PermissionDenied, () => Tokens.LimitAsync(made.Token.Id, new(Concurrent: 1), Product.Alice));
        await Tokens.LimitAsync(made.Token.Id, new(Concurrent: 1), Product.Ada);
        await RefusedAsync(ErrorCode.PermissionDenied, () => Tokens.LimitAsync(made.Token.Id, TokenLimits.None, eve));
        Assert.Equal(new TokenLimits(Concurrent: 1), (await Tokens.FindAsync(made.Secret))!.Limits);
        // taken back by who set them
        await Tokens.LimitAsync(made.Token.Id, TokenLimits.None, Product.Ada);
        await Tokens.LimitAsync(made.Token.Id, new(Concurrent: 3), eve);
    }

    [Theory]
    [InlineData(60, 60, true)]
    [InlineData(61, 60, false)]
    [InlineData(0, 60, false)]
    [InlineData(null, 60, true)]
    [InlineData(1000, 0, true)]
    public void OnlyAnAdministrator_GivesATokenMoreThanTheServerDoes(int? wanted, int server, bool allowed)
    {
        var limits = new TokenLimits(RequestsPerMinute: wanted);
        var of = new TokenLimits(server, 0, 0);
        limits.Ensure(of, Product.Ada);
        if (allowed)
            limits.Ensure(of, Product.Alice);
        else
            Assert.Equal(ErrorCode.PermissionDenied, Assert.Throws<LlmOpsException>(() => limits.Ensure(of, Product.Alice)).Code);
        Assert.Equal(wanted ?? server, limits.Or(of).RequestsPerMinute);
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
