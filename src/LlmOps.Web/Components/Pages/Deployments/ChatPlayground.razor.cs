using System.Globalization;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Components.Shared;
using LlmOps.Web.Serving;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Deployments;

/// <summary>A conversation with a chat deployment, streamed as it is made. Leaving the page stops the answer.</summary>
public sealed partial class ChatPlayground : IDisposable
{
    private sealed class Turn(string role)
    {
        public string Role { get; } = role;
        public string Text { get; set; } = "";
        public bool Streaming { get; set; }
        public bool Stopped { get; set; }
        public int Pieces { get; set; }
        public string? Error { get; set; }
        public ChatAnswer? Answer { get; set; }
    }

    /// <summary>Quicker than this nobody reads, and each rendering is a message to the browser.</summary>
    private static readonly TimeSpan BetweenRenderings = TimeSpan.FromMilliseconds(50);
    private readonly List<Turn> turns = [];
    private ElementReference box;
    private CancellationTokenSource? stop;
    private string message = "";
    private double temperature, topP = 0.95;
    private int maxTokens = 64;
    private bool busy, grew;

    [Inject] private ChatWithDeployment Chat { get; set; } = null!;
    [Inject] private Browser Browser { get; set; } = null!;
    [Inject] private TimeProvider Clock { get; set; } = null!;
    [Inject] private ILogger<ChatPlayground> Log { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public string Deployment { get; set; } = "";

    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        if (!grew) return;
        grew = false;
        await Browser.ScrollToEndAsync(box);
    }

    public void Dispose()
    {
        stop?.Cancel();
        stop?.Dispose();
    }

    private void Stop() => stop?.Cancel();

    private async Task SendAsync()
    {
        if (busy || string.IsNullOrWhiteSpace(message)) return;
        turns.Add(new Turn("user") { Text = message.Trim() });
        var answer = new Turn("assistant") { Streaming = true };
        var asked = turns.Where(t => t.Text.Length > 0 && t.Error is null).Select(t => new ChatTurn(t.Role, t.Text)).ToList();
        turns.Add(answer);
        (message, busy, grew) = ("", true, true);
        stop?.Dispose();
        stop = new CancellationTokenSource();
        try
        {
            await StreamAsync(asked, answer, stop.Token);
        }
        catch (OperationCanceledException)
        {
            answer.Stopped = true; // what was made until then stays readable, and its trace is stored
        }
        catch (Exception e)
        {
            answer.Error = Failure.Text(e, Log);
        }
        finally
        {
            (busy, answer.Streaming, grew) = (false, false, true);
        }
    }

    private async Task StreamAsync(IReadOnlyList<ChatTurn> asked, Turn answer, CancellationToken ct)
    {
        var options = new SamplingOptions(maxTokens, (float)temperature, TopP: temperature == 0 ? 1 : (float)topP);
        var rendered = Clock.GetTimestamp();
        await foreach (var piece in Chat.ChatAsync(Deployment, asked, options, Actor, ct: ct))
        {
            answer.Text += piece.Text;
            answer.Pieces++;
            answer.Answer = piece.Answer;
            if (Clock.GetElapsedTime(rendered) < BetweenRenderings) continue;
            rendered = Clock.GetTimestamp();
            grew = true;
            StateHasChanged();
            await Task.Yield();
        }
    }

    private static double? Speed(ChatAnswer answer) =>
        answer.OutputTokens > 1 && answer.DurationMs > answer.FirstTokenMs ? (answer.OutputTokens - 1) / (answer.DurationMs - answer.FirstTokenMs) * 1000 : null;

    private static double Number(ChangeEventArgs e, double before) =>
        double.TryParse(e.Value as string, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) ? value : before;
}
