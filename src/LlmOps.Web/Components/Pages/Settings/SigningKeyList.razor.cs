using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Promotion.Attestations;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Settings;

/// <summary>The public keys that statements are checked with, and the rotation.</summary>
public sealed partial class SigningKeyList
{
    private IReadOnlyList<SigningKey>? keys;
    private ConfirmDialog confirm = null!;

    [Inject] private ReadAttestations Attestations { get; set; } = null!;
    [Inject] private RotateSigningKey Rotation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    private string? Objection => Actor.Objection(Permission.Administer);

    protected override async Task OnInitializedAsync() => keys = await Attestations.KeysAsync();

    private Task AskAsync() => confirm.OpenAsync();

    private async Task RotateAsync()
    {
        await Rotation.RotateAsync(Actor);
        keys = await Attestations.KeysAsync();
        StateHasChanged();
    }
}
