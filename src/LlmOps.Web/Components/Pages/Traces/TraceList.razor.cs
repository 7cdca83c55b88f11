namespace LlmOps.Web.Components.Pages.Traces;

public sealed partial class TraceList
{
    private TraceTable? table;
    private int? total;

    private Task RefreshAsync() => table?.RefreshAsync() ?? Task.CompletedTask;
}
