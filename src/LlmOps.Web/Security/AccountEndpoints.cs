using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Identity;
using Microsoft.AspNetCore.Identity;
using Microsoft.AspNetCore.Mvc;

namespace LlmOps.Web.Security;

/// <summary>What the account's plain forms are sent to. Refusals go back to the form as a code: an address must not put words on a page.</summary>
public static class AccountEndpoints
{
    public static void MapAccount(this WebApplication app)
    {
        var account = app.MapGroup("/account").ExcludeFromDescription();
        account.MapPost("/sign-in", SignInAsync).AllowAnonymous();
        account.MapPost("/setup", SetUpAsync).AllowAnonymous();
        account.MapPost("/sign-out", async ([FromForm] string? returnUrl, SignInManager<Person> sessions) =>
        {
            await sessions.SignOutAsync();
            return Results.Redirect("/account/sign-in");
        });
    }

    private static async Task<IResult> SignInAsync([FromForm] string? username, [FromForm] string? password, [FromForm] bool? remember, [FromForm] string? returnUrl,
        UserManager<Person> people, SignInManager<Person> sessions)
    {
        var person = await people.FindByNameAsync(username?.Trim() ?? "");
        var refusal = person is null || string.IsNullOrEmpty(password) ? "credentials" : await sessions.CheckPasswordSignInAsync(person, password, lockoutOnFailure: true) switch
        {
            { IsLockedOut: true } => "locked",
            { Succeeded: false } => "credentials",
            _ => person.Disabled ? "disabled" : null,     // told only to somebody who knows the password
        };
        if (refusal is not null)
            return Results.Redirect($"/account/sign-in?error={refusal}{(returnUrl is null ? "" : "&returnUrl=" + Uri.EscapeDataString(Local(returnUrl)))}");
        await sessions.SignInAsync(person!, isPersistent: remember == true);
        return Results.LocalRedirect(Local(returnUrl));
    }

    private static async Task<IResult> SetUpAsync([FromForm] string? token, [FromForm] string? password, ManagePeople people, SignInManager<Person> sessions, CancellationToken ct)
    {
        try
        {
            var person = await people.UseSetupTokenAsync(token ?? "", password ?? "", ct);
            await sessions.SignInAsync(await sessions.UserManager.FindByIdAsync(person.Id.ToString()) ?? person, isPersistent: false);
            return Results.LocalRedirect("/");
        }
        catch (LlmOpsException e)
        {
            return e.Code == ErrorCode.InvalidParameterValue
                ? Results.Redirect($"/account/setup?error=password&token={Uri.EscapeDataString(token ?? "")}")
                : Results.Redirect("/account/setup?error=token");
        }
    }

    /// <summary>The address when it leads into this product, else the start page.</summary>
    private static string Local(string? address) =>
        address is ['/', ..] && !(address.Length > 1 && address[1] is '/' or '\\') && !address.Any(char.IsControl) ? address : "/";
}
