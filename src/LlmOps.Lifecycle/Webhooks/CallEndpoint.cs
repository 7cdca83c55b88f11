using System.Diagnostics;
using System.Text;
using LlmOps.Lifecycle.Data;

namespace LlmOps.Lifecycle.Webhooks;

/// <param name="RetryAfter">How long the receiver asked to be left alone.</param>
/// <param name="Unreachable">There was no answer, or one that says "not now": the receiver is at fault, not the message.</param>
public sealed record CallResult(int? Status, string? Response, string? Error, int DurationMs, TimeSpan? RetryAfter, bool Unreachable)
{
    public bool Arrived => Error is null;
    public bool IsGone => Status == 410;
}

/// <summary>One attempt: one signed POST, and what came of it.</summary>
public sealed class CallEndpoint(WebhookSettings settings, SecretVault vault, TimeProvider time) : IDisposable
{
    public const int MostResponseBytes = 4096;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly GuardedClient client = new(settings.Allows, "Add the host to Webhooks__AllowedHosts on the server to allow that.");

    public void Dispose() => client.Dispose();

    public void EnsureUsable(string? url) => client.EnsureUsable(url);

    public async Task<CallResult> CallAsync(WebhookEndpoint endpoint, WebhookDelivery delivery, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var clock = Stopwatch.StartNew();
        int Took() => (int)clock.ElapsedMilliseconds;
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ct);
        patience.CancelAfter(Patience);
        try
        {
            var secrets = vault.Read(endpoint.SecretsJson).Where(s => s.ExpiresAt is null || s.ExpiresAt > now).Select(s => s.Secret).ToList();
            using var request = WebhookMessage.Write(endpoint.Profile, delivery, settings.Source, secrets, now).Request(endpoint.Url);
            using var answer = await client.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
            var status = (int)answer.StatusCode;
            var text = await HeadAsync(answer, patience.Token);
            if (answer.IsSuccessStatusCode)
                return new(status, text, null, Took(), null, false);
            var error = status is >= 300 and < 400 ? $"The receiver answered {status}. Redirects are not followed: enter the address it points to." : $"The receiver answered {status}.";
            return new(status, text, error, Took(), status is 429 or 503 ? RetrySchedule.RetryAfter(answer.Headers.RetryAfter, now) : null, status is 429 or 502 or 503 or 504);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            return new(null, null, $"No answer within {Patience.TotalSeconds:0} s.", Took(), null, true);
        }
        // Whatever an address does wrong is a reason to try again, never to stop the sender.
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return new(null, null, WebhookEvents.Short(e.Message), Took(), null, true);
        }
    }

    /// <summary>The beginning of the answer, without what a log line must not hold. A body that breaks off changes nothing about the status.</summary>
    private static async Task<string> HeadAsync(HttpResponseMessage answer, CancellationToken ct)
    {
        var buffer = new byte[MostResponseBytes];
        var read = 0;
        try
        {
            await using var body = await answer.Content.ReadAsStreamAsync(ct);
            while (read < buffer.Length && await body.ReadAsync(buffer.AsMemory(read), ct) is > 0 and var count)
                read += count;
        }
        catch (Exception e) when (e is IOException or HttpRequestException or OperationCanceledException)
        {
            ct.ThrowIfCancellationRequested();
        }
        return string.Concat(Encoding.UTF8.GetString(buffer, 0, read).Select(c => char.IsControl(c) && c is not ('\n' or '\t') ? ' ' : c));
    }
}
