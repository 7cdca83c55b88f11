using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Quickstart;
using LlmOps.TestKit;
using Microsoft.AspNetCore.Identity;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Identity;

public abstract class PeopleTests(DatabaseProvider provider) : ProductTests(provider)
{
    private const string Password = "correct horse battery";
    private ManagePeople People => Get<ManagePeople>();

    private static bool Fits(Person person, string password) => new PasswordHasher<Person>().VerifyHashedPassword(person, person.PasswordHash!, password) == PasswordVerificationResult.Success;

    [Fact]
    public async Task Person_CanDoWhatTheirRolesAllow()
    {
        var eve = await People.CreateAsync("eve", "Eve", Password, [Roles.Engineer, Roles.ReleaseManager], Product.Ada);
        var actor = (await People.FindActorAsync("EVE"))!;
        Assert.Equal(eve.Id, actor.Id);
        Assert.Equal(Roles.PermissionsOf(Roles.Engineer).Union(Roles.PermissionsOf(Roles.ReleaseManager)).Order(), actor.Permissions.Order());
        Assert.True(Fits(await ReadAsync(db => db.Users.SingleAsync()), Password));
        Assert.DoesNotContain(Password, await DatabaseText.ReadAsync(Product), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("E", null, Roles.Viewer)]
    [InlineData("eve smith", null, Roles.Viewer)]
    [InlineData("eve", "short", Roles.Viewer)]
    [InlineData("eve", null, "Emperor")]
    public async Task Create_IsRefused_WhenNamePasswordOrRoleIsNone(string name, string? password, string role)
    {
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => People.CreateAsync(name, "Eve", password, [role], Product.Ada));
        Assert.Equal(0, await CountAsync(db => db.Users));
    }

    [Fact]
    public async Task Name_IsTakenOnce_AlsoWhenManyAskAtOnce()
    {
        var made = await AtOnceAsync(5, async _ =>
        {
            try
            {
                await People.CreateAsync("eve", "Eve", null, [Roles.Viewer], Product.Ada);
                return true;
            }
            catch (LlmOpsException e) when (e.Code == ErrorCode.ResourceAlreadyExists)
            {
                return false;
            }
        });
        Assert.Single(made, m => m);
        Assert.Equal((1, 1, 1), (await CountAsync(db => db.Users), await CountAsync(db => db.UserRoles), await CountAsync(db => db.Audit)));
    }

    [Fact]
    public async Task Change_IsRefused_WhenAdministratorsWouldLockThemselvesOut()
    {
        var ada = await People.CreateAsync("ada", "Ada", null, [Roles.Admin], Product.Ada);
        var actor = (await People.FindActorAsync(ada.Id))!;
        await RefusedAsync(ErrorCode.ResourceConflict, () => People.ChangeAsync(ada.Id, [Roles.Viewer], false, actor));
        await RefusedAsync(ErrorCode.ResourceConflict, () => People.ChangeAsync(ada.Id, [Roles.Admin], true, actor));
        Assert.True((await People.FindActorAsync(ada.Id))!.May(Permission.Administer));
    }

    [Fact]
    public async Task Change_EndsOpenSessions_AndSaysWhatWasBefore()
    {
        var eve = await People.CreateAsync("eve", "Eve", null, [Roles.Engineer], Product.Ada);
        await People.ChangeAsync(eve.Id, [Roles.Viewer], false, Product.Ada);
        Assert.NotEqual(eve.SecurityStamp, (await ReadAsync(db => db.Users.SingleAsync())).SecurityStamp);
        Assert.Equal([Permission.Read], (await People.FindActorAsync(eve.Id))!.Permissions);
        var entry = await ReadAsync(db => db.Audit.OrderByDescending(a => a.Id).FirstAsync());
        Assert.Equal(("""{"roles":["Engineer"],"disabled":false}""", """{"roles":["Viewer"],"disabled":false}"""), (entry.Before, entry.After));
    }

    [Fact]
    public async Task SetupLink_WorksOnce()
    {
        var eve = await People.CreateAsync("eve", "Eve", null, [Roles.Admin], Product.Ada);
        var token = await People.CreateSetupTokenAsync(eve.Id, Product.Ada);
        Assert.DoesNotContain(token, await DatabaseText.ReadAsync(Product), StringComparison.Ordinal);
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => People.UseSetupTokenAsync(token, "short"));
        await People.UseSetupTokenAsync(token, Password);
        await RefusedAsync(ErrorCode.PermissionDenied, () => People.UseSetupTokenAsync(token, "another long password"));
        Assert.True(Fits(await ReadAsync(db => db.Users.SingleAsync()), Password));
    }

    [Fact]
    public async Task SetupLink_WorksOnce_WhenTwoBrowsersUseItAtOnce()
    {
        var eve = await People.CreateAsync("eve", "Eve", null, [Roles.Admin], Product.Ada);
        var token = await People.CreateSetupTokenAsync(eve.Id, Product.Ada);
        var used = await AtOnceAsync(4, async i =>
        {
            try
            {
                await People.UseSetupTokenAsync(token, $"password number {i}");
                return true;
            }
            catch (LlmOpsException e) when (e.Code == ErrorCode.PermissionDenied)
            {
                return false;
            }
        });
        Assert.True(Fits(await ReadAsync(db => db.Users.SingleAsync()), $"password number {Array.IndexOf(used, true)}"));
        Assert.Single(used, u => u);
    }

    [Fact]
    public async Task SetupLink_TakesTheOlderOnesWithIt()
    {
        var eve = await People.CreateAsync("eve", "Eve", null, [Roles.Admin], Product.Ada);
        var older = await People.CreateSetupTokenAsync(eve.Id, Product.Ada);
        await People.UseSetupTokenAsync(await People.CreateSetupTokenAsync(eve.Id, Product.Ada), Password);
        await RefusedAsync(ErrorCode.PermissionDenied, () => People.UseSetupTokenAsync(older, "another long password"));
    }

    [Fact]
    public async Task SetupLink_ExpiresAfterADay()
    {
        var token = await People.CreateSetupTokenAsync((await People.CreateAsync("eve", "Eve", null, [Roles.Admin], Product.Ada)).Id, Product.Ada);
        Product.Clock.Advance(TimeSpan.FromHours(25));
        await RefusedAsync(ErrorCode.PermissionDenied, () => People.UseSetupTokenAsync(token, Password));
        await RefusedAsync(ErrorCode.PermissionDenied, () => People.UseSetupTokenAsync("made-up", Password));
        Assert.Null((await ReadAsync(db => db.Users.SingleAsync())).PasswordHash);
    }

    [Fact]
    public async Task FirstStart_MakesOneAdministrator_HoweverOftenItIsRepeated()
    {
        var setup = Get<QuickstartSetup>();
        var first = await setup.EnsurePeopleAsync();
        Assert.NotNull(first.SetupToken);
        Assert.NotNull(first.ReleasePassword);
        var again = await setup.EnsurePeopleAsync();
        Assert.NotEqual(first.SetupToken, again.SetupToken);
        Assert.Null(again.ReleasePassword);
        await People.UseSetupTokenAsync(again.SetupToken!, Password);
        Assert.Null((await setup.EnsurePeopleAsync()).SetupToken);
        Assert.Equal(2, await CountAsync(db => db.Users));
        Assert.False((await People.FindActorAsync(QuickstartSetup.ReleaseManagerName))!.May(Permission.RunPipelines));
        Assert.True((await People.FindActorAsync(QuickstartSetup.AdministratorName))!.May(Permission.Administer));
    }

    [Fact]
    public void Roles_GrowFromReadingToEverything()
    {
        Assert.Equal([Permission.Read], Roles.PermissionsOf(Roles.Viewer));
        Assert.DoesNotContain(Permission.Approve, Roles.PermissionsOf(Roles.Engineer));
        Assert.DoesNotContain(Permission.Approve, Actor.System.Permissions);
        Assert.Equal(Enum.GetValues<Permission>(), Roles.PermissionsOf(Roles.Admin).Order());
        Assert.Empty(Roles.PermissionsOf("Emperor"));
    }
}

public sealed class PeopleOnSqlite() : PeopleTests(DatabaseProvider.Sqlite);

public sealed class PeopleOnPostgres() : PeopleTests(DatabaseProvider.Postgres);
