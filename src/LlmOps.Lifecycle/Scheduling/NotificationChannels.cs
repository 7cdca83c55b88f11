using LlmOps.Lifecycle.Scheduling.Channels;

namespace LlmOps.Lifecycle.Scheduling;

/// <summary>The ways in which people are told.</summary>
public sealed class NotificationChannels(MailChannel mail, WebhookChannel webhook)
{
    public const string Page = "page";
    public const string Email = "email";
    public const string Webhook = "webhook";

    public static IReadOnlyList<string> All { get; } = [Page, Email, Webhook];

    /// <summary>Why nothing can be sent that way, or null.</summary>
    public string? ProblemOf(AlertChannel channel)
    {
        try
        {
            EnsureUsable(channel);
            return null;
        }
        catch (LlmOpsException e)
        {
            return e.Message;
        }
    }

    /// <summary>Said when the rule is made, not at night when it speaks.</summary>
    public void EnsureUsable(AlertChannel channel)
    {
        switch (channel.Kind)
        {
            case Page:
                break;
            case Email:
                mail.EnsureUsable(channel.Target);
                break;
            case Webhook:
                webhook.EnsureUsable(channel.Target);
                break;
            default:
                throw LlmOpsException.Invalid($"'{channel.Kind}' is no channel. Channels: {string.Join(", ", All)}.");
        }
    }

    internal Task SendAsync(Notification notification, CancellationToken ct) => notification.Channel switch
    {
        Email => mail.SendAsync(notification, ct),
        Webhook => webhook.SendAsync(notification, ct),
        _ => Task.CompletedTask,
    };
}
