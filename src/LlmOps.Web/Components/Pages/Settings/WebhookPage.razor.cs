using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Webhooks;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Settings;

/// <summary>One endpoint: what it was told, what it answered, and what people do about that.</summary>
public sealed partial class WebhookPage
{
    private static readonly string[] States = Enum.GetNames<DeliveryState>();
    private WebhookRow? hook;
    private WebhookTestResult? tested;
    private DeliveryDetail? shown;
    private Window<DeliveryRow> log = new([], 0);
    private ModalDialog? dialog;
    private WebhookForm? form;
    private ConfirmDialog? rotation, deletion;

    [Inject] private ReadWebhooks Webhooks { get; set; } = null!;
    [Inject] private ManageWebhooks Manage { get; set; } = null!;
    [Inject] private TestWebhook Tests { get; set; } = null!;
    [Inject] private ReplayDelivery Replays { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [Inject] private TimeProvider Time { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter] public Guid Id { get; set; }
    [SupplyParameterFromQuery] public string? State { get; set; }
    [SupplyParameterFromQuery(Name = "q")] public string? Filter { get; set; }

    private string? Objection => Actor.Objection(Permission.Administer);

    protected override Task OnParametersSetAsync() => ReadAsync();

    private async Task ReadAsync()
    {
        if (Objection is not null)
            return;
        hook = await Webhooks.GetAsync(Id, Actor);
        var wanted = Enum.TryParse<DeliveryState>(State, out var state) && Enum.IsDefined(state) ? state : (DeliveryState?)null;
        log = await Webhooks.DeliveriesAsync(Id, wanted, new ListQuery(Filter, Take: Window<DeliveryRow>.Largest), Actor);
    }

    private Task TestAsync() => ActAsync(async () => tested = await Tests.TestAsync(Id, null, Actor));

    private Task EnableAsync() => ActAsync(() => Manage.ChangeAsync(Id, new WebhookChange(Enabled: hook!.State != EndpointState.Active), Actor));

    private Task ReplayAsync(Guid delivery) => ActAsync(() => Replays.ReplayAsync(delivery, Actor));

    private Task ReplayFailedAsync() => ActAsync(() => Replays.ReplayFailedAsync(Id, Time.GetUtcNow().AddDays(-7), Actor));

    private async Task ShowAsync(Guid delivery)
    {
        shown = await Webhooks.DeliveryAsync(delivery, Actor);
        StateHasChanged();
        await dialog!.OpenAsync();
    }

    private async Task RotateAsync()
    {
        var made = await Manage.RotateSecretAsync(Id, null, null, Actor);
        await ReadAsync();
        StateHasChanged();
        await form!.ShowAsync(made);
    }

    private async Task DeleteAsync()
    {
        await Manage.DeleteAsync(Id, Actor);
        Navigation.NavigateTo("/settings?tab=webhooks");
    }

    private async Task ActAsync(Func<Task> act)
    {
        await act();
        await ReadAsync();
        StateHasChanged();
    }
}
