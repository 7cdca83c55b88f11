using System.Globalization;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using LlmOps.Lifecycle.Webhooks;

namespace LlmOps.Lifecycle.Tests.Webhooks;

public sealed class WebhookSignatureTests
{
    private const string Id = "msg_p5jXN8AQM9LWM0D4loKWxJek", Stamp = "1614265330", Body = "{\"test\": 2432232314}";
    private const string First = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Second = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

    /// <summary>Both numbers were worked out with Python's hmac.</summary>
    [Fact]
    public void Standard_DecodesTheSecret_AndSignsWithAllInForce()
    {
        Assert.Equal("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", WebhookSignature.Standard([First], Id, Stamp, Encoding.UTF8.GetBytes(Body)));
        Assert.Equal("v1,/485aUtxlie+TIScVpHggMfqOB4so2KWb7+Gf727B44= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", WebhookSignature.Standard([Second, First], Id, Stamp, Encoding.UTF8.GetBytes(Body)));
    }

    [Fact]
    public void Mlflow_SignsWithTheCharactersOfTheSecret() =>
        Assert.Equal("v1,E6d1Rpxxqut+BKh9zti3MYHdztOuY1nQuW9NljwDaS0=",
            WebhookSignature.Mlflow("s3cr3t-schlüssel", "b2c3", "1753950452", Encoding.UTF8.GetBytes("""{"entity":"registered_model","action":"created","data":{"name":"Grüße"}}""")));

    [Fact]
    public void Signature_AgreesWithAnHmacWrittenFromItsDefinition()
    {
        for (var i = 0; i < 50; i++)
        {
            var (secret, body) = (WebhookSignature.NewSecret(), RandomNumberGenerator.GetBytes(i * 7));
            var key = Convert.FromBase64String(secret[6..]);
            Assert.Equal(32, key.Length);
            Assert.Equal("v1," + Convert.ToBase64String(Hmac(key, [.. Encoding.UTF8.GetBytes($"msg_{i}.{i}."), .. body])), WebhookSignature.Standard([secret], $"msg_{i}", i.ToString(CultureInfo.InvariantCulture), body));
        }
    }

    /// <summary>RFC 2104: H((K ^ opad) | H((K ^ ipad) | text)), for keys no longer than a block.</summary>
    internal static byte[] Hmac(byte[] key, byte[] text)
    {
        var block = new byte[64];
        key.CopyTo(block, 0);
        var inner = SHA256.HashData([.. block.Select(b => (byte)(b ^ 0x36)), .. text]);
        return SHA256.HashData([.. block.Select(b => (byte)(b ^ 0x5c)), .. inner]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    [InlineData("whsec_short")]
    [InlineData("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFR==")]
    public void Secret_OfAnotherForm_IsRefused(string secret) => Assert.Throws<LlmOpsException>(() => WebhookSignature.Key(secret));
}

public sealed class WebhookMessageTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 2, 9, 0, 5, TimeSpan.Zero);
    private static readonly string Secret = "whsec_" + Convert.ToBase64String(new byte[32]);

    private static WebhookDelivery Delivery(string type, string data) => new()
    {
        Id = Guid.Parse("01890a5d-ac96-774b-bcce-b302099a8057"), Type = type, Subject = "Größe \"1\"/3", DataJson = data, CreatedAt = new(2026, 3, 2, 9, 0, 0, 250, TimeSpan.Zero),
    };

    private static WebhookMessage Write(string profile, string type = WebhookEvents.VersionCreated) => WebhookMessage.Write(profile, Delivery(type, """{"name":"lexicon","version":3}"""), "https://llmops.example.org", [Secret], Now);

    [Fact]
    public void Standard_HasTypeTimeAndData()
    {
        var message = Write(WebhookProfiles.Standard);
        Assert.Equal("""{"type":"model_version.created","timestamp":"2026-03-02T09:00:00.250Z","data":{"name":"lexicon","version":3}}""", Encoding.UTF8.GetString(message.Body));
        Assert.Equal(["webhook-id: msg_01890a5dac96774bbcceb302099a8057", "webhook-timestamp: 1772442005"], message.Headers.Take(2).Select(h => $"{h.Key}: {h.Value}"));
        Assert.Equal(WebhookSignature.Standard([Secret], "msg_01890a5dac96774bbcceb302099a8057", "1772442005", message.Body), message.Headers.Single(h => h.Key == "webhook-signature").Value);
    }

    [Fact]
    public void CloudEventsStructured_IsOneJsonEvent()
    {
        var message = Write(WebhookProfiles.CloudEventsStructured);
        Assert.Equal("application/cloudevents+json", message.ContentType);
        Assert.Equal("""{"specversion":"1.0","id":"msg_01890a5dac96774bbcceb302099a8057","source":"https://llmops.example.org","type":"model_version.created","time":"2026-03-02T09:00:00.250Z","subject":"Größe \"1\"/3","datacontenttype":"application/json","data":{"name":"lexicon","version":3}}""",
            Encoding.UTF8.GetString(message.Body));
        Assert.Contains(message.Headers, h => h.Key == "webhook-signature");
    }

    [Fact]
    public void CloudEventsBinary_HasItsAttributesInHeaders_Escaped()
    {
        var message = Write(WebhookProfiles.CloudEventsBinary);
        Assert.Equal("""{"name":"lexicon","version":3}""", Encoding.UTF8.GetString(message.Body));
        Assert.Equal("application/json", message.ContentType);
        Assert.Equal(["ce-specversion: 1.0", "ce-id: msg_01890a5dac96774bbcceb302099a8057", "ce-source: https://llmops.example.org", "ce-type: model_version.created", "ce-time: 2026-03-02T09:00:00.250Z",
            "ce-subject: Gr%C3%B6%C3%9Fe%20%221%22/3"], message.Headers.Take(6).Select(h => $"{h.Key}: {h.Value}"));
        Assert.Equal("100%25%0A%E2%82%AC", WebhookMessage.Escape("100%\n€"));
    }

    [Fact]
    public void Mlflow_HasEntityAndAction_AndVersionsAsTexts()
    {
        var message = WebhookMessage.Write(WebhookProfiles.Mlflow, Delivery(WebhookEvents.AliasSet, """{"name":"lexicon","alias":"champion","version":3}"""), "x", ["plain", "old"], Now);
        Assert.Equal("""{"entity":"model_version_alias","action":"created","timestamp":"2026-03-02T09:00:00.250Z","data":{"name":"lexicon","alias":"champion","version":"3"}}""", Encoding.UTF8.GetString(message.Body));
        Assert.Equal([new("X-MLflow-Delivery-Id", "01890a5d-ac96-774b-bcce-b302099a8057"), new("X-MLflow-Timestamp", "1772442005"),
            new KeyValuePair<string, string>("X-MLflow-Signature", WebhookSignature.Mlflow("plain", "01890a5d-ac96-774b-bcce-b302099a8057", "1772442005", message.Body))], message.Headers);
    }

    [Fact]
    public void Schedule_HasTenAttempts_EachUpToATenthLater()
    {
        double[] seconds = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400];
        var some = Enumerable.Range(0, 200).Select(_ => Guid.NewGuid()).ToList();
        for (var i = 0; i < seconds.Length; i++)
        {
            var waits = some.Select(id => RetrySchedule.After(i + 1, id)!.Value.TotalSeconds).ToList();
            Assert.All(waits, w => Assert.InRange(w, seconds[i], seconds[i] * 1.1 + 1e-6));
            Assert.InRange(waits.Average() / seconds[i], 1.03, 1.07);      // uniform: 1.05, and the mean of 200 is within five of its deviations
            Assert.Equal(RetrySchedule.After(i + 1, some[0]), RetrySchedule.After(i + 1, some[0]));
        }
        Assert.Equal(10, RetrySchedule.MostAttempts);
        Assert.Null(RetrySchedule.After(10, some[0]));
    }

    [Fact]
    public void RetryAfter_IsReadInSecondsAndAsATime_AndBounded()
    {
        Assert.Equal(TimeSpan.FromSeconds(90), RetrySchedule.RetryAfter(new RetryConditionHeaderValue(TimeSpan.FromSeconds(90)), Now));
        Assert.Equal(TimeSpan.FromMinutes(3), RetrySchedule.RetryAfter(new RetryConditionHeaderValue(Now.AddMinutes(3)), Now));
        Assert.Equal(TimeSpan.Zero, RetrySchedule.RetryAfter(new RetryConditionHeaderValue(Now.AddMinutes(-3)), Now));
        Assert.Equal(RetrySchedule.LongestPause, RetrySchedule.RetryAfter(new RetryConditionHeaderValue(TimeSpan.FromDays(400)), Now));
        Assert.Null(RetrySchedule.RetryAfter(null, Now));
    }

    [Theory]
    [InlineData("*", "job.failed", true)]
    [InlineData("approval.*", "approval.signed", true)]
    [InlineData("approval.*", "approvals.signed", false)]
    [InlineData("model_version.*", "model_version.alias.set", true)]
    [InlineData("model_version.created", "model_version.created", true)]
    [InlineData("model_version.created", "model_version.created.more", false)]
    public void Pattern_StandsForItsBeginning(string pattern, string type, bool matches) => Assert.Equal(matches, WebhookEvents.Matches(pattern, type));

    [Fact]
    public void Events_ThatNothingMatches_AreRefused_WithTheListOfThoseThatAre()
    {
        Assert.Contains("job.failed", Assert.Throws<LlmOpsException>(() => WebhookEvents.Parse(["model.exploded"], WebhookProfiles.Standard)).Message, StringComparison.Ordinal);
        Assert.Throws<LlmOpsException>(() => WebhookEvents.Parse(["job.failed"], WebhookProfiles.Mlflow));
        Assert.Throws<LlmOpsException>(() => WebhookEvents.Parse([" "], WebhookProfiles.Standard));
        Assert.Equal(["approval.*", "job.failed"], WebhookEvents.Parse([" approval.* ", "job.failed", "job.failed"], WebhookProfiles.Standard));
        Assert.All(WebhookEvents.All, e => Assert.Matches("^[a-zA-Z0-9_]+(\\.[a-zA-Z0-9_]+)+$", e.Name));
    }
}
