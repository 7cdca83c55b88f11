using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Settings;

/// <summary>The tokens of the person who looks, or of somebody else for an administrator. A secret is in this component's memory only until it is put away.</summary>
public sealed partial class TokenList
{
    private readonly HashSet<Permission> scopes = [];
    private IReadOnlyList<TokenRow>? tokens;
    private ModalDialog create = null!, limit = null!;
    private ConfirmDialog confirm = null!;
    private TokenRow? doomed, limited;
    private int? requests, perMinute, concurrent;
    private string name = "", secretName = "";
    private string? secret;
    private int days = 90;

    [Inject] private ReadPeople People { get; set; } = null!;
    [Inject] private ManageTokens Manage { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    /// <summary>Whose; null for the person who looks.</summary>
    [Parameter] public Guid? Person { get; set; }

    private bool IsOwn => Person is null || Person == Actor.Id;

    protected override Task OnInitializedAsync() => ReadAsync();

    private async Task ReadAsync()
    {
        if (!IsOwn)
            Actor.Require(Permission.Administer);
        tokens = await People.TokensAsync(Person ?? Actor.Id);
    }

    private static string Words(TokenLimits limits)
    {
        string[] said = [.. new[] { (limits.RequestsPerMinute, "requests/min"), (limits.TokensPerMinute, "tokens/min"), (limits.Concurrent, "at once") }
            .Where(l => l.Item1 is not null).Select(l => l.Item1 == 0 ? $"no limit of {l.Item2}" : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{l.Item1:N0} {l.Item2}"))];
        return said.Length == 0 ? "The server's" : string.Join(", ", said);
    }

    private Task AskLimitsAsync(TokenRow token)
    {
        limited = token;
        (requests, perMinute, concurrent) = (token.Limits.RequestsPerMinute, token.Limits.TokensPerMinute, token.Limits.Concurrent);
        StateHasChanged();
        return limit.OpenAsync();
    }

    private async Task LimitAsync()
    {
        await Manage.LimitAsync(limited!.Id, new(requests, perMinute, concurrent), Actor);
        await limit.CloseAsync();
        await ReadAsync();
        StateHasChanged();
    }

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
