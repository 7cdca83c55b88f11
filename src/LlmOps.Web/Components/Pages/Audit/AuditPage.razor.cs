using System.Text.Json;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Audit;

public sealed partial class AuditPage
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private AuditChoices choices = new([], [], []);
    private DataTable<AuditEntry>? table;
    private ModalDialog details = null!;
    private AuditEntry? shown;
    private int? total;
    private AuditChainReport? chain;

    [Inject] private ReadAudit Entries { get; set; } = null!;
    [Inject] private VerifyAudit Chain { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;

    [SupplyParameterFromQuery(Name = "q")] private string? Search { get; set; }
    [SupplyParameterFromQuery(Name = "actor")] private string? ActorName { get; set; }
    [SupplyParameterFromQuery] private string? Subject { get; set; }
    [SupplyParameterFromQuery] private string? Action { get; set; }
    [SupplyParameterFromQuery(Name = "id")] private string? SubjectId { get; set; }

    private AuditFilter Filter => new(ActorName, Subject, Action, Search, SubjectId);

    protected override async Task OnInitializedAsync() => choices = await Entries.ChoicesAsync();

    private Task<Window<AuditEntry>> ReadAsync(TableRequest request, CancellationToken ct) => Entries.ListAsync(Filter, request.Skip, request.Take, ct);

    private async Task VerifyAsync()
    {
        chain = await Chain.VerifyAsync([]);
        // The button renders itself only.
        StateHasChanged();
    }

    private Task ShowAsync(AuditEntry entry)
    {
        shown = entry;
        return details.OpenAsync();
    }

    private static string Short(string id) => id.Length > 32 ? id[..8] : id;

    private static string? Address(AuditEntry entry) => entry.Subject switch
    {
        "pipeline" => $"/pipelines/{entry.SubjectId}",
        "pipeline-run" => $"/pipeline-runs/{entry.SubjectId}",
        "approval" => $"/approvals/{entry.SubjectId}",
        "deployment" => $"/deployments/{entry.SubjectId}",
        "knowledge-base" => $"/knowledge/{entry.SubjectId}",
        "trace" => $"/traces/{entry.SubjectId}",
        "model-version" => $"/models/{entry.SubjectId}",
        "dataset-version" => $"/datasets/{entry.SubjectId}",
        "schedule" => "/schedules",
        "person" or "api-token" => "/settings",
        _ => null,
    };

    private static string Pretty(string? json)
    {
        if (json is null) return "–";
        using var document = JsonDocument.Parse(json);
        return JsonSerializer.Serialize(document.RootElement, Indented);
    }
}
