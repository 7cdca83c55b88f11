using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Settings;

/// <summary>The price table that the cost of traces is reckoned with.</summary>
public sealed partial class PriceList
{
    private IReadOnlyList<ModelPrice>? prices;
    private ModalDialog dialog = null!;
    private string model = "";
    private double input, output;
    private double? cacheRead, cacheWrite;

    [Inject] private ReadPrices Prices { get; set; } = null!;
    [Inject] private SetPrices Set { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    private string? Objection => Actor.Objection(Permission.Administer);

    protected override async Task OnInitializedAsync() => prices = await Prices.ListAsync();

    private Task NewAsync() => OpenAsync(new("", 0, 0));

    private Task ChangeAsync(ModelPrice price) => OpenAsync(new(price.Model, price.InputUsd, price.OutputUsd, price.CacheReadUsd, price.CacheWriteUsd));

    private Task OpenAsync(PriceForm form)
    {
        (model, input, output, cacheRead, cacheWrite) = (form.Model, form.InputUsd, form.OutputUsd, form.CacheReadUsd, form.CacheWriteUsd);
        StateHasChanged();
        return dialog.OpenAsync();
    }

    private async Task SaveAsync()
    {
        await Set.SetAsync(new(model, input, output, cacheRead, cacheWrite), Actor);
        await dialog.CloseAsync();
        prices = await Prices.ListAsync();
        StateHasChanged();
    }

    private async Task DeleteAsync(ModelPrice price)
    {
        await Set.DeleteAsync(price.Model, Actor);
        prices = await Prices.ListAsync();
        StateHasChanged();
    }
}
