using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Settings;

/// <summary>The tokens of the person who looks. A secret is in this component's memory only until it is put away.</summary>
public sealed partial class TokenList
{
    private readonly HashSet<Permission> scopes = [];
    private IReadOnlyList<TokenRow>? tokens;
    private ModalDialog create = null!;
    private ConfirmDialog confirm = null!;
    private TokenRow? doomed;
    private string name = "", secretName = "";
    private string? secret;
    private int days = 90;

    [Inject] private ReadPeople People { get; set; } = null!;
    [Inject] private ManageTokens Manage { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    protected override Task OnInitializedAsync() => ReadAsync();

    private async Task ReadAsync() => tokens = await People.TokensAsync(Actor.Id);

    private Task OpenAsync()
    {
        name = "";
        scopes.Clear();
        scopes.Add(Permission.Read);
        return create.OpenAsync();
    }

    private void Choose(Permission permission, bool on)
    {
        if (on) scopes.Add(permission);
        else scopes.Remove(permission);
    }

    private async Task CreateAsync()
    {
        var made = await Manage.CreateAsync(name.Trim(), scopes, days == 0 ? null : Clock.GetUtcNow().AddDays(days), Actor);
        (secret, secretName) = (made.Secret, made.Token.Name);
        await create.CloseAsync();
        await ReadAsync();
        StateHasChanged();
    }

    private Task AskAsync(TokenRow token)
    {
        doomed = token;
        StateHasChanged();
        return confirm.OpenAsync();
    }

    private async Task RevokeAsync()
    {
        await Manage.RevokeAsync(doomed!.Id, Actor);
        await ReadAsync();
        StateHasChanged();
    }
}
