using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>Every move of every alias of a model, newest first.</summary>
public sealed partial class AliasHistory
{
    [Inject] private ReadModels Models { get; set; } = null!;

    [Parameter, EditorRequired] public ModelDetail Model { get; set; } = null!;
    [Parameter] public EventCallback<int> TotalChanged { get; set; }

    private Task<Window<AliasMoveRow>> ReadAsync(TableRequest r, CancellationToken ct) => Models.AliasMovesAsync(Model.Id, r.Skip, r.Take, ct);
}
