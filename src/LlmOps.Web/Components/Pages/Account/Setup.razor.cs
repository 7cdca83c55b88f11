using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Account;

/// <summary>A one-time link leads here, from the console at the first start or from an administrator; <c>POST /account/setup</c> takes the password.</summary>
public sealed partial class Setup
{
    [SupplyParameterFromQuery] private string? Token { get; set; }
    [SupplyParameterFromQuery(Name = "error")] private string? Code { get; set; }

    private string? Error => Code switch
    {
        null => null,
        "token" => "This link was used or has expired. Ask an administrator for a new one; while the first administrator has no password, the console shows one at every start.",
        "password" => $"The password is too short: it needs {LlmOps.Lifecycle.Identity.ManagePeople.ShortestPassword} characters.",
        _ => "The link has to be opened as it was given.",
    };
}
