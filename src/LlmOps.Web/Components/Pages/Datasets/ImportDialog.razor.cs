using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Forms;

namespace LlmOps.Web.Components.Pages.Datasets;

/// <summary>Uploads JSONL, says which lines cannot be used and why, and imports the rest only when asked to.</summary>
public sealed partial class ImportDialog
{
    private const int MostShown = 50;
    private ModalDialog? dialog;
    private IBrowserFile? file;
    private IReadOnlyList<BadRow> bad = [];
    private DatasetKind kind = DatasetKind.Instruction;
    private string name = "", licence = "", source = "";
    private bool quarantine;
    private int good;
    private double? uploaded;

    [Inject] private ImportDataset Importer { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    public Task OpenAsync() => dialog!.OpenAsync();

    private void Forget() => (file, bad, good, uploaded) = (null, [], 0, null);

    private void Unchecked() => (bad, good) = ([], 0);

    private void Chosen(InputFileChangeEventArgs e)
    {
        file = e.File;
        Unchecked();
    }

    private async Task ImportAsync()
    {
        Unchecked();
        ModelName.Parse(name);
        if (file!.Size > ImportDataset.LargestUpload)
            throw new LlmOpsException(ErrorCode.RequestLimitExceeded, $"{file.Name} has {Display.Bytes(file.Size)}; an upload may have {Display.Bytes(ImportDataset.LargestUpload)}. Split it, or put it on the server and import it with a pipeline's import-data stage.");
        // the check and the import each read the rows once, so they are kept on disk for that long
        await using var rows = new FileStream(Path.GetTempFileName(), new FileStreamOptions { Access = FileAccess.ReadWrite, Mode = FileMode.Create, Options = FileOptions.DeleteOnClose | FileOptions.Asynchronous });
        await UploadAsync(rows);
        var (usable, unusable) = await CheckAsync(rows);
        if (unusable.Count > 0 && !quarantine)
        {
            (bad, good) = (unusable, usable);
            StateHasChanged();      // the button renders itself only
            return;
        }
        rows.Position = 0;
        var version = await Importer.ImportAsync(name, kind, rows, quarantine, licence.Trim(), source.Trim() is { Length: > 0 } given ? given : file.Name, Actor);
        await dialog!.CloseAsync();
        Navigation.NavigateTo($"/datasets/{name}/{version.Number}");
    }

    private async Task UploadAsync(FileStream target)
    {
        await using var from = file!.OpenReadStream(ImportDataset.LargestUpload);
        var buffer = new byte[1 << 16];
        var shown = 0.0;
        for (int read; (read = await from.ReadAsync(buffer)) > 0;)
        {
            await target.WriteAsync(buffer.AsMemory(0, read));
            uploaded = file.Size == 0 ? 1 : (double)target.Position / file.Size;
            if (uploaded < shown + 0.02) continue;
            shown = uploaded.Value;
            StateHasChanged();
        }
        await target.FlushAsync();
        uploaded = null;
        StateHasChanged();
    }

    private async Task<(int Usable, IReadOnlyList<BadRow> Unusable)> CheckAsync(FileStream rows)
    {
        rows.Position = 0;
        var (usable, unusable) = (0, new List<BadRow>());
        await foreach (var read in DatasetRows.StreamAsync(rows, kind))
        {
            if (read.Bad is { } bad) unusable.Add(bad);
            else usable++;
        }
        return (usable, unusable);
    }
}
