using System.Security.Cryptography;
using LlmOps.Lifecycle.Webhooks;

namespace LlmOps.Lifecycle.Tests.Webhooks;

public sealed class SecretVaultTests
{
    private static readonly DateTimeOffset Then = DateTimeOffset.FromUnixTimeSeconds(1_700_000_000);
    private static readonly WebhookSecret[] Secrets = [new("whsec_abc", Then), new("whsec_old", Then, Then.AddDays(1))];

    private static string Turned(string text) => new([.. text.Reverse()]);

    [Fact]
    public void WhatIsStored_IsSealed_AndReadBack()
    {
        var vault = new SecretVault(Turned, Turned);
        var stored = vault.Write(Secrets);
        Assert.DoesNotContain("whsec_", stored, StringComparison.Ordinal);
        Assert.Equal(Secrets, vault.Read(stored));
    }

    [Fact]
    public void RowsFromBefore_AreReadAsTheyAre() => Assert.Equal(Secrets, new SecretVault(Turned, Turned).Read(SecretVault.Plain.Write(Secrets)));

    [Fact]
    public void WithoutTheKeys_NothingIsRead_AndTheMessageSaysWhatToDo()
    {
        var stored = new SecretVault(Turned, Turned).Write(Secrets);
        var stranger = new SecretVault(Turned, _ => throw new CryptographicException("unknown key"));
        Assert.Null(stranger.TryRead(stored));
        Assert.Contains("give the webhook a new secret", Assert.Throws<LlmOpsException>(() => stranger.Read(stored)).Message, StringComparison.Ordinal);
        Assert.Contains("keys/", Assert.Throws<LlmOpsException>(() => SecretVault.Plain.Read(stored)).Message, StringComparison.Ordinal);
    }
}
