using System.Net;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>The end of a log: follows while the reader is at the end, finds, downloads. Only the lines in view are in the page.</summary>
public sealed partial class LogTail
{
    private sealed record Line(int Number, string Text)
    {
        /// <summary>By the level words that loggers write, not by any mention of an error.</summary>
        public string? Kind => ErrorLevel().IsMatch(Text) ? "is-error" : WarningLevel().IsMatch(Text) ? "is-warning" : null;
    }

    private ElementReference box;
    private IList<Line> shown = [];
    private string find = "";
    private int drawn = -1;

    [Inject] private Browser Browser { get; set; } = null!;

    /// <summary>All lines known so far; give a new list (or a longer one) when there are more.</summary>
    [Parameter, EditorRequired] public IReadOnlyList<string> Lines { get; set; } = [];
    [Parameter] public bool Follow { get; set; } = true;
    [Parameter] public int Height { get; set; } = 320;
    [Parameter] public string FileName { get; set; } = "log.txt";

    private string Note => find.Length == 0 ? $"{Display.Count(Lines.Count)} lines" : $"{Display.Count(shown.Count)} of {Display.Count(Lines.Count)} lines";

    private string Tail => string.Join('\n', Lines.Skip(Lines.Count - 200));

    protected override void OnParametersSet() => Select();

    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        if (!Follow || drawn == Lines.Count || find.Length > 0) return;
        var atEnd = drawn <= 0 || await Browser.IsAtEndAsync(box);
        drawn = Lines.Count;
        if (atEnd) await Browser.ScrollToEndAsync(box);
    }

    private void Find(string? text)
    {
        find = text ?? "";
        Select();
    }

    private void Select() => shown = Lines.Select((text, i) => new Line(i + 1, text)).Where(l => find.Length == 0 || l.Text.Contains(find, StringComparison.OrdinalIgnoreCase)).ToList();

    private MarkupString Marked(string text)
    {
        var at = text.IndexOf(find, StringComparison.OrdinalIgnoreCase);
        return new MarkupString(at < 0 ? WebUtility.HtmlEncode(text)
            : $"{WebUtility.HtmlEncode(text[..at])}<mark>{WebUtility.HtmlEncode(text[at..(at + find.Length)])}</mark>{WebUtility.HtmlEncode(text[(at + find.Length)..])}");
    }

    private async Task ToggleFollowAsync(ChangeEventArgs e)
    {
        Follow = e.Value is true;
        if (Follow) await Browser.ScrollToEndAsync(box);
    }

    [GeneratedRegex(@"\b(ERROR|FATAL|fail:|crit:)|^Error\b")]
    private static partial Regex ErrorLevel();

    [GeneratedRegex(@"\b(WARN(ING)?\b|warn:)|^Warning\b")]
    private static partial Regex WarningLevel();

    private Task DownloadAsync() => Browser.DownloadAsync(FileName, string.Join('\n', Lines) + "\n");
}
