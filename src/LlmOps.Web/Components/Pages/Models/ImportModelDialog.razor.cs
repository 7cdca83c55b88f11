using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Forms;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>Uploads a checkpoint; what is wrong with it is said by the name of its file, tensor or setting.</summary>
public sealed partial class ImportModelDialog
{
    private ModalDialog? dialog;
    private IBrowserFile? file;
    private string name = "", licence = "", description = "";
    private double? uploaded;

    [Inject] private ImportModel Importer { get; set; } = null!;
    [Inject] private NavigationManager Navigation { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    public Task OpenAsync() => dialog!.OpenAsync();

    private void Forget() => (file, uploaded) = (null, null);

    private async Task ImportAsync()
    {
        ModelName.Parse(name);
        if (file!.Size > ImportModel.LargestUpload)
            throw new LlmOpsException(ErrorCode.RequestLimitExceeded, $"{file.Name} has {Display.Bytes(file.Size)}; an upload may have {Display.Bytes(ImportModel.LargestUpload)}. Import the folder with the command line on the server.");
        try
        {
            // A zip file is read from its end, so it is kept on disk for the import.
            await using var zip = new FileStream(Path.GetTempFileName(), new FileStreamOptions { Access = FileAccess.ReadWrite, Mode = FileMode.Create, Options = FileOptions.DeleteOnClose | FileOptions.Asynchronous });
            await UploadAsync(zip);
            var version = await Importer.ImportZipAsync(name, zip, licence.Trim() is { Length: > 0 } given ? given : "unknown", description.Trim(), Actor);
            await dialog!.CloseAsync();
            Navigation.NavigateTo($"/models/{name}/{version.Number}");
        }
        finally
        {
            uploaded = null;
        }
    }

    private async Task UploadAsync(FileStream target)
    {
        await using var from = file!.OpenReadStream(ImportModel.LargestUpload);
        var buffer = new byte[1 << 16];
        var shown = 0.0;
        for (int read; (read = await from.ReadAsync(buffer)) > 0;)
        {
            await target.WriteAsync(buffer.AsMemory(0, read));
            uploaded = file.Size == 0 ? 1 : (double)target.Position / file.Size;
            if (uploaded < shown + 0.02) continue;
            shown = uploaded.Value;
            StateHasChanged();      // the button renders itself only
        }
        await target.FlushAsync();
        target.Position = 0;
        uploaded = 1;
        StateHasChanged();
    }
}
