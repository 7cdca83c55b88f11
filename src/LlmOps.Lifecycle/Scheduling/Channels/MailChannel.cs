using MailKit.Net.Smtp;
using MailKit.Security;
using MimeKit;

namespace LlmOps.Lifecycle.Scheduling.Channels;

/// <summary>Sends an alert by mail. The Message-Id holds the row's id, so that a repeat after a crash is seen as one.</summary>
public sealed class MailChannel(AlertSettings settings)
{
    public void EnsureUsable(string? target)
    {
        if (settings.SmtpHost.Length == 0)
            throw LlmOpsException.Invalid("No mail can be sent: there is no mail server. Set Alerts__Smtp__Host and Alerts__Smtp__From on the server.");
        if (!MailboxAddress.TryParse(target, out _))
            throw LlmOpsException.Invalid($"'{target}' is no mail address.");
    }

    internal async Task SendAsync(Notification notification, CancellationToken ct)
    {
        EnsureUsable(notification.Target);
        using var message = new MimeMessage();
        var from = MailboxAddress.Parse(settings.From);
        message.From.Add(from);
        message.To.Add(MailboxAddress.Parse(notification.Target!));
        message.Subject = "[LlmOps] " + notification.Title;
        message.MessageId = $"{notification.Id:N}@{from.Domain}";
        message.Headers.Add("Auto-Submitted", "auto-generated");
        message.Body = new TextPart("plain") { Text = notification.Href is null ? notification.Text : $"{notification.Text}\n\n{settings.BaseUrl}{notification.Href}\n" };
        using var smtp = new SmtpClient();
        await smtp.ConnectAsync(settings.SmtpHost, settings.SmtpPort, settings.SmtpSecurity switch { "tls" => SecureSocketOptions.SslOnConnect, "none" => SecureSocketOptions.None, _ => SecureSocketOptions.StartTls }, ct);
        if (settings.SmtpUser is { Length: > 0 } user)
            await smtp.AuthenticateAsync(user, settings.SmtpPassword ?? "", ct);
        await smtp.SendAsync(message, ct);
        await smtp.DisconnectAsync(true, ct);
    }
}
