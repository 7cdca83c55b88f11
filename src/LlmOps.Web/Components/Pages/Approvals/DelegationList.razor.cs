using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Approvals;

/// <summary>The delegations a person gave or got, and the form for another one.</summary>
public sealed partial class DelegationList
{
    private const int UsualDays = 7;
    private IReadOnlyList<Delegation>? delegations;
    private IReadOnlyList<PersonRow> others = [];
    private ModalDialog? dialog;
    private DateTimeOffset now;
    private DateTime first, last;
    private string to = "", reason = "";
    private bool tried;

    [Inject] private ReadApprovals Approvals { get; set; } = null!;
    [Inject] private ReadPeople People { get; set; } = null!;
    [Inject] private ManageDelegations Manage { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    private string? Objection => Actor.Objection(Permission.Approve);

    private DateTimeOffset StartsAt => new(DateTime.SpecifyKind(first.Date, DateTimeKind.Utc));

    /// <summary>Through the last day.</summary>
    private DateTimeOffset EndsAt => new DateTimeOffset(DateTime.SpecifyKind(last.Date, DateTimeKind.Utc)).AddDays(1);

    protected override Task OnInitializedAsync() => ReadAsync();

    private async Task ReadAsync()
    {
        now = Clock.GetUtcNow();
        delegations = await Approvals.DelegationsAsync(Actor);
    }

    private string StateOf(Delegation of) => of.RevokedAt is not null ? "Revoked" : of.EndsAt <= now ? "Expired" : of.StartsAt > now ? "Pending" : "Active";

    private string? ProblemOf(string field) => tried ? ManageDelegations.Problems(StartsAt, EndsAt, reason, now).Where(p => p.Field == field).Select(p => p.Text).FirstOrDefault() : null;

    private async Task NewAsync()
    {
        others = [.. (await People.ListAsync()).Where(p => p.Id != Actor.Id && !p.Disabled && p.Roles.Any(r => r != Roles.Viewer))];
        now = Clock.GetUtcNow();
        (to, reason, tried, first, last) = (others.Count > 0 ? others[0].UserName : "", "", false, now.UtcDateTime.Date, now.UtcDateTime.Date.AddDays(UsualDays));
        StateHasChanged();
        await dialog!.OpenAsync();
    }

    private async Task CreateAsync()
    {
        tried = true;
        if (ManageDelegations.Problems(StartsAt, EndsAt, reason, now).Count == 0)
        {
            await Manage.CreateAsync(to, StartsAt, EndsAt, reason, Actor);
            await dialog!.CloseAsync();
            await ReadAsync();
        }
        StateHasChanged();
    }

    private async Task RevokeAsync(Delegation of)
    {
        await Manage.RevokeAsync(of.Id, Actor);
        await ReadAsync();
        StateHasChanged();
    }
}
