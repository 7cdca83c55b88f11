using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Settings;

/// <summary>Accounts and their roles. Nobody is ever deleted: the audit trail names them.</summary>
public sealed partial class PeopleList
{
    private readonly HashSet<string> roles = [];
    private IReadOnlyList<PersonRow>? people;
    private ModalDialog dialog = null!;
    private PersonRow? edited;
    private string userName = "", displayName = "", linkFor = "";
    private string? link;
    private bool disabled;

    [Inject] private ReadPeople People { get; set; } = null!;
    [Inject] private ManagePeople Manage { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    private string? Objection => Actor.Objection(Permission.Administer);

    protected override Task OnInitializedAsync() => ReadAsync();

    private async Task ReadAsync() => people = await People.ListAsync();

    private Task NewAsync()
    {
        (edited, userName, displayName) = (null, "", "");
        roles.Clear();
        roles.Add(Roles.Viewer);
        StateHasChanged();
        return dialog.OpenAsync();
    }

    private Task EditAsync(PersonRow person)
    {
        (edited, disabled) = (person, person.Disabled);
        roles.Clear();
        roles.UnionWith(person.Roles);
        StateHasChanged();
        return dialog.OpenAsync();
    }

    private void Choose(string role, bool on)
    {
        if (on) roles.Add(role);
        else roles.Remove(role);
    }

    private async Task SaveAsync()
    {
        if (edited is not null)
            await Manage.ChangeAsync(edited.Id, roles, disabled, Actor);
        else
        {
            var made = await Manage.CreateAsync(userName.Trim(), displayName.Trim().Length == 0 ? userName.Trim() : displayName.Trim(), null, roles, Actor);
            await ShowLinkAsync(made.Id, made.UserName!);
        }
        await dialog.CloseAsync();
        await ReadAsync();
        StateHasChanged();
    }

    private Task LinkAsync(PersonRow person)
    {
        Actor.Require(Permission.Administer);
        return ShowLinkAsync(person.Id, person.UserName);
    }

    private async Task ShowLinkAsync(Guid id, string name)
    {
        link = $"{Navigation.BaseUri}account/setup?token={await Manage.CreateSetupTokenAsync(id, Actor)}";
        linkFor = name;
        StateHasChanged();
    }
}
