using Markdig;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>Markdown written by people (cards, comments). HTML in it stays text, links that could run script lose their address, images of other hosts become links.</summary>
public sealed partial class MarkdownView
{
    private static readonly MarkdownPipeline Pipeline = new MarkdownPipelineBuilder().UsePipeTables().UseAutoLinks().UseTaskLists().DisableHtml().Build();
    private string html = "";

    [Parameter, EditorRequired] public string? Text { get; set; }

    protected override void OnParametersSet()
    {
        var document = Markdown.Parse(Text ?? "", Pipeline);
        foreach (var link in Markdig.Syntax.MarkdownObjectExtensions.Descendants<Markdig.Syntax.Inlines.LinkInline>(document))
        {
            if (!IsSafe(link.Url)) link.Url = "#";
            if (link.IsImage && link.Url?.StartsWith('/') != true) link.IsImage = false;
        }
        foreach (var link in Markdig.Syntax.MarkdownObjectExtensions.Descendants<Markdig.Syntax.Inlines.AutolinkInline>(document))
            if (!link.IsEmail && !IsSafe(link.Url)) link.Url = "#";
        html = document.ToHtml(Pipeline);
    }

    private static bool IsSafe(string? url)
    {
        if (string.IsNullOrEmpty(url)) return false;
        var scheme = url.IndexOf(':');
        var path = url.IndexOfAny(['/', '?', '#']);
        return scheme < 0 || (path >= 0 && path < scheme) || url.StartsWith("https:", StringComparison.OrdinalIgnoreCase) || url.StartsWith("http:", StringComparison.OrdinalIgnoreCase) || url.StartsWith("mailto:", StringComparison.OrdinalIgnoreCase);
    }
}
