using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Account;

/// <summary>A plain form; <c>POST /account/sign-in</c> answers with a redirect here and <c>?error=</c> when it refuses.</summary>
public sealed partial class SignIn
{
    [SupplyParameterFromQuery] private string? ReturnUrl { get; set; }
    [SupplyParameterFromQuery(Name = "error")] private string? Code { get; set; }

    /// <summary>Codes, not text: an address must not be able to put words on this page.</summary>
    private string? Error => Code switch
    {
        null => null,
        "locked" => "Too many wrong attempts. This account is locked for some minutes; try again later.",
        "disabled" => "This account is disabled. Ask an administrator.",
        _ => "User name and password do not match.",
    };
}
