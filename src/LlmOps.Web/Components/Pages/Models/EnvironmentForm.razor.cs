using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>Sets the environments of a model. What is wrong stands beside its field; nothing is saved until nothing is.</summary>
public sealed partial class EnvironmentForm
{
    private List<Row> rows = [];
    private ModalDialog? dialog;
    private bool tried;

    [Inject] private DefineEnvironments Define { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public string Model { get; set; } = "";
    [Parameter, EditorRequired] public IReadOnlyList<ModelEnvironment> Environments { get; set; } = [];
    [Parameter] public EventCallback OnSaved { get; set; }

    private IReadOnlyList<ModelEnvironment> Asked => [.. rows.Select(r => r.Environment)];

    public Task OpenAsync()
    {
        rows = [.. Environments.Select(e => new Row(e))];
        tried = false;
        return dialog!.OpenAsync();
    }

    // Typing is not an error yet: problems are said once somebody tried to save, and go away as they are mended.
    private string? ProblemOf(int? row, string? field) => tried ? ModelEnvironment.Problems(Asked).FirstOrDefault(p => p.Row == row && p.Field == field)?.Text : null;

    private string? Invalid(int row, string field) => ProblemOf(row, field) is null ? null : "true";

    private void Move(int from, int to)
    {
        var row = rows[from];
        rows.RemoveAt(from);
        rows.Insert(to, row);
    }

    private async Task SaveAsync()
    {
        tried = true;
        if (ModelEnvironment.Problems(Asked).Count == 0)
        {
            await Define.DefineAsync(Model, Asked, Actor);
            await dialog!.CloseAsync();
            await OnSaved.InvokeAsync();
        }
        StateHasChanged();
    }

    private sealed class Row(ModelEnvironment? from = null)
    {
        private readonly string prefix = "e" + Guid.NewGuid().ToString("N")[..6] + "-";

        public string Alias { get; set; } = from?.Alias ?? "";
        public int Signatures { get; set; } = from?.RequiredApprovals ?? 1;
        public string Verdict { get; set; } = from?.MinimumVerdict?.ToString() ?? "";
        public IReadOnlyList<string> Roles { get; private set; } = from?.Roles ?? ModelEnvironment.SigningRoles;

        public ModelEnvironment Environment => new(Alias.Trim(), Signatures, Roles, Verdict.Length == 0 ? null : Enum.Parse<Verdict>(Verdict));

        public string Id(string field) => prefix + field;

        public void Choose(string role, bool on) => Roles = [.. ModelEnvironment.SigningRoles.Where(r => r == role ? on : Roles.Contains(r))];
    }
}
