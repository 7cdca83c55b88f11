using System.Globalization;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;

namespace LlmOps.Web.Components.Pages.Datasets;

/// <summary>One question at a time. What is stored is in the row's own terms, whatever side it stood on.</summary>
public sealed partial class PreferPage
{
    private sealed record Pair(int Row, string Prompt, string Left, string Right, bool ChosenIsLeft);

    private ElementReference surface;
    private DatasetVersionDetail? version;
    private AnnotationProgress? progress;
    private Pair? pair;
    private string? error;
    private bool busy, focused;

    [Inject] private ReadDatasets Datasets { get; set; } = null!;
    [Inject] private ReadRows Rows { get; set; } = null!;
    [Inject] private ReadAnnotations Annotations { get; set; } = null!;
    [Inject] private Annotate Annotate { get; set; } = null!;
    [Inject] private ILogger<PreferPage> Log { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter] public string Name { get; set; } = "";
    [Parameter] public int Number { get; set; }
    [SupplyParameterFromQuery(Name = "split")] private string? Wanted { get; set; }

    private string Split => Wanted == "held-out" ? "held-out" : "train";

    private string? Objection => Actor.Objection(Permission.Annotate);

    private string Width => string.Create(CultureInfo.InvariantCulture, $"{100.0 * progress!.Answered / Math.Max(1, progress.Rows):0.##}%");

    protected override async Task OnParametersSetAsync()
    {
        version = await Datasets.GetAsync(Name, Number);
        if (version.Kind != DatasetKind.Preference)
            throw LlmOpsException.Invalid($"{version.Key} holds {version.Kind} rows. Only preference rows have two answers to compare.");
        await ShowAsync(await Annotations.NextAsync(version.Id, Split, version.RowsOf(Split), Actor.Id));
    }

    /// <summary>Keys work without a click first.</summary>
    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        if (focused || progress is null) return;
        focused = true;
        await surface.FocusAsync(preventScroll: true);
    }

    private async Task ShowAsync(int? row)
    {
        progress = await Annotations.ProgressAsync(version!.Id, Split, version.RowsOf(Split), Actor.Id);
        if (row is not { } at || (await Rows.PageAsync(version.Id, Split, at, 1)).Rows is not [var line, ..])
        {
            pair = null;
            return;
        }
        var shown = ShownRow.Parse(at, line);
        var chosenIsLeft = ReadAnnotations.ChosenIsLeft(version.Id, Split, at, Actor.Id);
        pair = new(at, shown["prompt"], chosenIsLeft ? shown["chosen"] : shown["rejected"], chosenIsLeft ? shown["rejected"] : shown["chosen"], chosenIsLeft);
    }

    private Task KeyAsync(KeyboardEventArgs e) => e switch
    {
        { Repeat: true } or { CtrlKey: true } or { MetaKey: true } or { AltKey: true } => Task.CompletedTask,
        { Key: "1" or "2" or "=" or "s" } => AnswerAsync(e.Key),
        { Key: "u" } => UndoAsync(),
        _ => Task.CompletedTask,
    };

    private Task AnswerAsync(string key) => pair is not { } asked ? Task.CompletedTask : OnceAsync(async () =>
    {
        var preferred = key switch { "=" => "tie", "s" => "skip", "1" => asked.ChosenIsLeft ? "chosen" : "rejected", _ => asked.ChosenIsLeft ? "rejected" : "chosen" };
        await Annotate.AnswerAsync(version!.Id, Split, asked.Row, preferred, Actor);
        await ShowAsync(await Annotations.NextAsync(version.Id, Split, version.RowsOf(Split), Actor.Id));
    });

    private Task UndoAsync() => OnceAsync(async () =>
    {
        if (await Annotations.LastAsync(version!.Id, Split, Actor.Id) is not { } last) return;
        await Annotate.UndoAsync(version.Id, Split, last, Actor);
        await ShowAsync(last);
    });

    /// <summary>A key has no button to say what went wrong, so this is where it is caught; a second key while the first is stored is dropped.</summary>
    private async Task OnceAsync(Func<Task> action)
    {
        if (busy || Objection is not null) return;
        (busy, error) = (true, null);
        try
        {
            await action();
        }
        catch (Exception e)
        {
            error = Failure.Text(e, Log);
        }
        finally
        {
            busy = false;
        }
    }
}
