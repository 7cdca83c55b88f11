using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Account;

/// <summary>First start: the one-time link on the console leads here; <c>POST /account/setup</c> makes the administrator.</summary>
public sealed partial class Setup
{
    [SupplyParameterFromQuery] private string? Token { get; set; }
    [SupplyParameterFromQuery(Name = "error")] private string? Code { get; set; }

    private string? Error => Code switch
    {
        null => null,
        "token" => "This link was used or has expired. The console shows a new one when the server starts without an administrator.",
        "password" => "The password is too short or too simple.",
        _ => "Name, e-mail and password are all needed.",
    };
}
