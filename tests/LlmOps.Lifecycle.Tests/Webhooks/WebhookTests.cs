using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Messaging;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Webhooks;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Webhooks;

/// <summary>Against a receiver on a real socket. "localhost" is allowed by name; nothing else inside the house is.</summary>
public abstract class WebhookTests(DatabaseProvider provider) : ProductTests(provider)
{
    private readonly WebhookSettings settings = new() { AllowedHosts = ["localhost"], Source = "https://llmops.example.org" };

    private CallEndpoint Call() => new(settings, SecretVault.Plain, Product.Clock);

    private SendWebhooks Sender(CallEndpoint call) => new(Product.Dbs, call, Get<LlmOps.Lifecycle.Monitoring.ServingMeter>(), new Hints(), settings, Product.Clock);

    private async Task<WebhookWithSecret> AddAsync(string url, params string[] events) =>
        await Get<ManageWebhooks>().CreateAsync(new NewWebhook("ci " + url, url, events.Length == 0 ? ["*"] : events), Product.Ada);

    private Task<WebhookDelivery> DeliveryAsync() => ReadAsync(db => db.WebhookDeliveries.AsNoTracking().SingleAsync());

    private Task<WebhookEndpoint> EndpointAsync() => ReadAsync(db => db.WebhookEndpoints.AsNoTracking().SingleAsync());

    /// <summary>One delivery of the kind that waits.</summary>
    private Task RegisterAsync(string name) => Get<RegisterModel>().CreateAsync(name, "", [], Product.Alice);

    [Fact]
    public async Task Event_IsWrittenWithItsChange_AndArrivesOnce_HoweverManyProcessesSend()
    {
        using var receiver = new WebhookReceiver { Answer = "thanks" };
        using var call = Call();
        var made = await AddAsync(receiver.Address);
        await RegisterAsync("Iris");
        Assert.Empty(receiver.Calls);
        var sent = await AtOnceAsync(4, _ => Sender(call).SendDueAsync());
        Assert.Equal(1, sent.Sum());
        var (headers, text) = (Assert.Single(receiver.Calls).Headers, receiver.Calls.Single().Text);
        var delivery = await DeliveryAsync();
        Assert.Equal((DeliveryState.Delivered, 1, 200, "registered_model.created", "Iris"), (delivery.State, delivery.Attempts, delivery.LastStatus, delivery.Type, delivery.Subject));
        Assert.Equal($"msg_{delivery.Id:N}", headers["webhook-id"]);
        var key = Convert.FromBase64String(made.Secret[6..]);
        Assert.Equal("v1," + Convert.ToBase64String(WebhookSignatureTests.Hmac(key, System.Text.Encoding.UTF8.GetBytes($"{headers["webhook-id"]}.{headers["webhook-timestamp"]}.{text}"))), headers["webhook-signature"]);
        Assert.Contains("\"name\":\"Iris\"", text, StringComparison.Ordinal);
        var attempt = await ReadAsync(db => db.WebhookAttempts.AsNoTracking().SingleAsync());
        Assert.Equal((1, 200, "thanks", null), (attempt.Number, attempt.Status, attempt.Response, attempt.Error));
    }

    [Fact]
    public async Task Event_ThatNobodyAskedFor_IsNotWritten()
    {
        await AddAsync("http://hooks.invalid/", "approval.*");
        await Get<ManageWebhooks>().CreateAsync(new NewWebhook("off", "http://hooks.invalid/", ["*"], Disabled: true), Product.Ada);
        await RegisterAsync("Iris");
        Assert.Equal(0, await CountAsync(db => db.WebhookDeliveries));
    }

    [Fact]
    public async Task Change_ThatIsRolledBack_TellsNothing()
    {
        await AddAsync("http://hooks.invalid/");
        await RegisterAsync("Iris");
        await RefusedAsync(ErrorCode.ResourceAlreadyExists, () => RegisterAsync("Iris"));
        Assert.Equal(1, await CountAsync(db => db.WebhookDeliveries));
    }

    [Fact]
    public async Task Failure_IsRepeatedByTheSchedule_WithTheSameIdAndBody_ThenTheEndpointIsDisabledAndPeopleAreTold()
    {
        using var receiver = new WebhookReceiver { Status = 500, Answer = "no" };
        using var call = Call();
        await AddAsync(receiver.Address);
        await RegisterAsync("Iris");
        var id = (await DeliveryAsync()).Id;
        for (var attempt = 1; attempt <= RetrySchedule.MostAttempts; attempt++)
        {
            Assert.Equal(0, await Sender(call).SendDueAsync());
            Assert.Equal(attempt, receiver.Calls.Count);
            await Sender(call).SendDueAsync();
            Assert.Equal(attempt, receiver.Calls.Count);      // its time has not come
            if (RetrySchedule.After(attempt, id) is { } wait)
            {
                Assert.InRange((await DeliveryAsync()).NotBefore - Product.Clock.GetUtcNow(), wait - TimeSpan.FromSeconds(1), wait);
                Product.Clock.Advance(wait + TimeSpan.FromSeconds(1));
            }
        }
        Assert.Single(receiver.Calls.Select(c => (c.Headers["webhook-id"], c.Text)).Distinct());
        Assert.Equal(10, receiver.Calls.Select(c => c.Headers["webhook-timestamp"]).Distinct().Count());
        var (delivery, endpoint) = (await DeliveryAsync(), await EndpointAsync());
        Assert.Equal((DeliveryState.Failed, 10, "The receiver answered 500."), (delivery.State, delivery.Attempts, delivery.Error));
        Assert.Equal((EndpointState.Disabled, "A delivery failed 10 times, at last: The receiver answered 500."), (endpoint.State, endpoint.DisabledReason));
        Assert.StartsWith("The webhook ci http://localhost", (await ReadAsync(db => db.Notifications.SingleAsync())).Title, StringComparison.Ordinal);
        Assert.Equal(1, await CountAsync(db => db.Audit.Where(a => a.Action == "disable" && a.Subject == "webhook" && a.ActorName == "system")));
        Assert.Equal(10, await CountAsync(db => db.WebhookAttempts.Where(a => a.Response == "no" && a.Status == 500)));
        await RegisterAsync("Lily");
        Assert.Equal(1, await CountAsync(db => db.WebhookDeliveries));

        await RefusedAsync(ErrorCode.ResourceConflict, () => Get<ReplayDelivery>().ReplayAsync(id, Product.Ada));
        await Get<ManageWebhooks>().ChangeAsync(endpoint.Id, new WebhookChange(Enabled: true), Product.Ada);
        await Get<ReplayDelivery>().ReplayAsync(id, Product.Ada);
        receiver.Status = 204;
        Assert.Equal(1, await Sender(call).SendDueAsync());
        Assert.Equal(($"msg_{id:N}", DeliveryState.Delivered, 11), (receiver.Calls.Last().Headers["webhook-id"], (await DeliveryAsync()).State, (await DeliveryAsync()).Attempts));
    }

    [Fact]
    public async Task Gone_DisablesAtOnce_AndWhatWaitsGoesOnWhenItIsEnabled()
    {
        using var receiver = new WebhookReceiver { Status = 410 };
        using var call = Call();
        var made = await AddAsync(receiver.Address);
        await RegisterAsync("Iris");
        await RegisterAsync("Lily");
        await Sender(call).SendDueAsync();
        Assert.Equal((1, EndpointState.Disabled, "The receiver answered 410: it is gone."), (receiver.Calls.Count, (await EndpointAsync()).State, (await EndpointAsync()).DisabledReason));
        await Sender(call).SendDueAsync();
        Assert.Single(receiver.Calls);
        receiver.Status = 200;
        await Get<ManageWebhooks>().ChangeAsync(made.Id, new WebhookChange(Enabled: true), Product.Ada);
        Assert.Equal(1, await Sender(call).SendDueAsync());
        Assert.Equal(1, await Get<ReplayDelivery>().ReplayFailedAsync(made.Id, DateTimeOffset.UnixEpoch, Product.Ada));
        Assert.Equal(1, await Sender(call).SendDueAsync());
        Assert.Equal(2, await CountAsync(db => db.WebhookDeliveries.Where(d => d.State == DeliveryState.Delivered)));
    }

    [Theory]
    [InlineData(429)]
    [InlineData(503)]
    public async Task RetryAfter_LeavesTheEndpointAlone_ForAsLongAsItAsks(int status)
    {
        using var receiver = new WebhookReceiver { Status = status, Extra = "Retry-After: 3600\r\n" };
        using var call = Call();
        await AddAsync(receiver.Address);
        await RegisterAsync("Iris");
        await RegisterAsync("Lily");
        await Sender(call).SendDueAsync();
        Assert.Single(receiver.Calls);      // the second is not even tried
        Product.Clock.Advance(TimeSpan.FromMinutes(59));
        await Sender(call).SendDueAsync();
        Assert.Single(receiver.Calls);
        receiver.Status = 200;
        Product.Clock.Advance(TimeSpan.FromMinutes(2));
        Assert.Equal(2, await Sender(call).SendDueAsync());
    }

    [Fact]
    public async Task Redirect_IsAFailure_AndIsNotFollowed()
    {
        using var target = new WebhookReceiver();
        using var receiver = new WebhookReceiver { Status = 307, Extra = $"Location: {target.Address}\r\n" };
        using var call = Call();
        await AddAsync(receiver.Address);
        await RegisterAsync("Iris");
        Assert.Equal(0, await Sender(call).SendDueAsync());
        Assert.Empty(target.Calls);
        Assert.Contains("307. Redirects are not followed", (await DeliveryAsync()).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Address_InsideTheHouse_IsRefusedWhenItIsConnectedTo_WhateverItsName()
    {
        using var receiver = new WebhookReceiver();
        using var call = new CallEndpoint(new WebhookSettings(), SecretVault.Plain, Product.Clock);
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => AddAsync($"http://127.0.0.1:{receiver.Port}/"));
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => AddAsync("http://[::ffff:10.0.0.1]/"));
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => AddAsync("http://2130706433/"));
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => AddAsync("ftp://example.org/"));
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => AddAsync("https://user:secret@example.org/"));
        await AddAsync(receiver.Address);     // a name says nothing about where it leads
        await RegisterAsync("Iris");
        await Sender(call).SendDueAsync();
        Assert.Empty(receiver.Calls);
        Assert.Contains("Webhooks__AllowedHosts", (await DeliveryAsync()).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sender_ThatDiesWhileItSends_LosesNothing_AndTheRepeatHasTheSameId()
    {
        using var receiver = new WebhookReceiver();
        using var call = Call();
        await AddAsync(receiver.Address);
        await RegisterAsync("Iris");
        // Claimed and sent, and then the process is gone before it writes that down.
        var stored = await ReadAsync(db => db.WebhookDeliveries.Include(d => d.Endpoint).SingleAsync());
        await ReadAsync(db => db.WebhookDeliveries.ExecuteUpdateAsync(s => s.SetProperty(d => d.Attempts, 1).SetProperty(d => d.Tried, 1).SetProperty(d => d.NotBefore, Product.Clock.GetUtcNow().AddMinutes(2))));
        await call.CallAsync(stored.Endpoint!, stored, CancellationToken.None);
        Assert.Equal(0, await Sender(call).SendDueAsync());
        Product.Clock.Advance(TimeSpan.FromMinutes(3));
        Assert.Equal(1, await Sender(call).SendDueAsync());
        Assert.Equal(2, receiver.Calls.Count);
        Assert.Single(receiver.Calls.Select(c => c.Headers["webhook-id"]).Distinct());
    }

    [Fact]
    public async Task Rotation_SignsWithBothSecrets_UntilTheOldOneRunsOut()
    {
        using var receiver = new WebhookReceiver();
        using var call = Call();
        var old = await AddAsync(receiver.Address);
        var fresh = await Get<ManageWebhooks>().RotateSecretAsync(old.Id, TimeSpan.FromHours(1), null, Product.Ada);
        Assert.NotEqual(old.Secret, fresh.Secret);
        string[] Expected(params string[] secrets) => [.. secrets.Select(s => WebhookSignature.Standard([s], receiver.Calls.Last().Headers["webhook-id"], receiver.Calls.Last().Headers["webhook-timestamp"], receiver.Calls.Last().Body))];
        await RegisterAsync("Iris");
        await Sender(call).SendDueAsync();
        Assert.Equal(Expected(fresh.Secret, old.Secret), receiver.Calls.Last().Headers["webhook-signature"].Split(' '));
        Product.Clock.Advance(TimeSpan.FromHours(2));
        await RegisterAsync("Lily");
        await Sender(call).SendDueAsync();
        Assert.Equal(Expected(fresh.Secret), receiver.Calls.Last().Headers["webhook-signature"].Split(' '));
        Assert.Single((await Get<ReadWebhooks>().GetAsync(old.Id, Product.Ada)).Secrets);
        var leaked = await CountAsync(db => db.Audit.Where(a => a.After!.Contains("whsec_") || a.Before!.Contains("whsec_")));
        Assert.Equal(0, leaked);
    }

    [Fact]
    public async Task WebhookThatIsDeletedInTheMomentOfAnEvent_IsToldNothing_AndWhatHappenedIsSaved()
    {
        var (gone, kept) = (await AddAsync("http://hooks.invalid/gone"), await AddAsync("http://hooks.invalid/kept"));
        await using (var db = await Product.Dbs.CreateDbContextAsync())
        {
            var (model, now) = (new RegisteredModel { Name = "Iris", Owner = "alice", CreatedAt = Product.Clock.GetUtcNow() }, Product.Clock.GetUtcNow());
            db.Models.Add(model);
            db.Record(Product.Alice, "create", "model", "Iris", now);
            await db.AnnounceModelAsync(model, now, default);
            await Get<ManageWebhooks>().DeleteAsync(gone.Id, Product.Ada);
            await db.SaveChangesAsync();
        }
        Assert.Equal(1, await CountAsync(db => db.Models.Where(m => m.Name == "Iris")));
        Assert.Equal(1, await CountAsync(db => db.Audit.Where(a => a.Subject == "model" && a.SubjectId == "Iris")));
        Assert.Equal(kept.Id, (await DeliveryAsync()).EndpointId);
    }

    /// <summary>A sender reads many deliveries at once and calls one after another: what somebody changes meanwhile holds for those that have not left.</summary>
    [Fact]
    public async Task DeliveryThatWasReadBeforeTheSecretWasReplaced_DoesNotLeaveWithTheOldOne()
    {
        using var receiver = new WebhookReceiver();
        using var call = Call();
        var old = await AddAsync(receiver.Address);
        await RegisterAsync("Iris");
        var read = await ReadAsync(db => db.WebhookDeliveries.AsNoTracking().Include(d => d.Endpoint).SingleAsync());
        var fresh = await Get<ManageWebhooks>().RotateSecretAsync(old.Id, TimeSpan.Zero, null, Product.Ada);
        Assert.Null(await Sender(call).AttemptAsync(read, CancellationToken.None));
        Assert.Empty(receiver.Calls);
        Assert.Equal(1, await Sender(call).SendDueAsync());
        var sent = receiver.Calls.Single();
        Assert.Equal(WebhookSignature.Standard([fresh.Secret], sent.Headers["webhook-id"], sent.Headers["webhook-timestamp"], sent.Body), sent.Headers["webhook-signature"]);
    }

    /// <summary>Everybody reads the audit log; a webhook only administrators do, because its address may be all that its receiver asks for.</summary>
    [Fact]
    public async Task Audit_SaysWhereAWebhookGoes_WithoutThePathThatIsItsSecret()
    {
        using var receiver = new WebhookReceiver();
        using var call = Call();
        var made = await Get<ManageWebhooks>().CreateAsync(new("first", $"http://localhost:{receiver.Port}/services/T0/B0/onlyformyeyes", ["*"]), Product.Ada);
        await Get<ManageWebhooks>().ChangeAsync(made.Id, new(Name: "ci"), Product.Ada);
        await Get<ManageWebhooks>().ChangeAsync(made.Id, new(Url: $"http://localhost:{receiver.Port}/services/T0/B0/onlyforyoureyes"), Product.Ada);
        await new TestWebhook(Product.Dbs, Sender(call), Product.Clock).TestAsync(made.Id, null, Product.Ada);
        await Get<ManageWebhooks>().DeleteAsync(made.Id, Product.Ada);
        var said = await ReadAsync(db => db.Audit.AsNoTracking().Where(a => a.Subject == "webhook").OrderBy(a => a.Sequence).Select(a => a.SubjectId + a.Before + a.After).ToListAsync());
        Assert.Equal(5, said.Count);
        Assert.DoesNotContain(said, s => s.Contains("eyes", StringComparison.Ordinal));
        Assert.All(said, s => Assert.Contains($"http://localhost:{receiver.Port}/…", s, StringComparison.Ordinal));
        // that the path changed is to be seen
        Assert.Equal(2, System.Text.RegularExpressions.Regex.Matches(said[2], @"\([0-9a-f]{8}\)").Select(m => m.Value).Distinct().Count());
    }

    [Fact]
    public async Task Test_SaysWhatTheReceiverAnswered_IsTriedOnce_AndDisablesNothing()
    {
        using var receiver = new WebhookReceiver { Status = 418, Answer = new string('x', 10_000) };
        using var call = Call();
        var made = await AddAsync(receiver.Address, "approval.*");
        var test = new TestWebhook(Product.Dbs, Sender(call), Product.Clock);
        var result = await test.TestAsync(made.Id, null, Product.Ada);
        Assert.Equal((false, 418, CallEndpoint.MostResponseBytes), (result.Arrived, result.Status, result.Response!.Length));
        Assert.Equal((DeliveryState.Failed, EndpointState.Active), ((await DeliveryAsync()).State, (await EndpointAsync()).State));
        Assert.StartsWith("{\"type\":\"approval.requested\"", receiver.Calls.Single().Text, StringComparison.Ordinal);
        Product.Clock.Advance(TimeSpan.FromDays(1));
        await Sender(call).SendDueAsync();
        Assert.Single(receiver.Calls);
        receiver.Status = 200;
        Assert.True((await test.TestAsync(made.Id, WebhookEvents.JobFailed, Product.Ada)).Arrived);
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => test.TestAsync(made.Id, "no.event", Product.Ada));
    }

    [Fact]
    public async Task Everything_ThatHappensToAModel_IsToldInOrder()
    {
        await AddAsync("http://hooks.invalid/");
        await Product.DatasetAsync("animals", DatasetKind.Preference, TestProduct.PreferenceRows(20));
        await Get<RegisterModel>().CreateAsync("Iris", "", [], Product.Alice);
        await Get<RegisterVersion>().RegisterAsync(new("Iris", "s3://bucket/1", null, null, null, null, null, [new("kept", "1")]), Product.Alice);
        await Get<ChangeVersion>().TagAsync("Iris", 1, "good", "yes", Product.Alice);
        await Get<ChangeVersion>().UntagAsync("Iris", 1, "good", Product.Alice);
        await Get<PointAlias>().SetAsync("Iris", "mine", 1, Product.Alice);
        await Get<PointAlias>().RemoveAsync("Iris", "mine", Product.Alice);
        await Product.PromoteAsync(await Product.VersionAsync("tiny-lm", "int8"), "int8");
        await Get<Deploy>().DeployAsync("chat", DeploymentKind.Chat, "tiny-lm/1", "int8", null, Product.Rosa);
        await Product.QueueAsync();
        var job = await Product.ClaimAsync();
        await Get<JobTransitions>().FailAsync(job, "The disk is full.");
        var told = await ReadAsync(db => db.WebhookDeliveries.AsNoTracking().OrderBy(d => d.CreatedAt).ThenBy(d => d.Id).ToListAsync());
        string[] expected =
        [
            "dataset_version.created", "registered_model.created", "model_version.created", "model_version.tag.set", "model_version.tag.deleted", "model_version.alias.set", "model_version.alias.deleted",
            "registered_model.created", "model_version.created", "approval.requested", "approval.signed", "approval.closed", "model_version.alias.set", "deployment.changed", "job.failed",
        ];
        Assert.Equal(expected, told.Select(d => d.Type));
        var moved = told.Last(d => d.Type == WebhookEvents.AliasSet);
        Assert.Contains("\"name\":\"tiny-lm\",\"alias\":\"production\",\"version\":1,\"variant\":\"int8\"", moved.DataJson, StringComparison.Ordinal);
        Assert.Contains("\"error\":\"The disk is full.\"", told[^1].DataJson, StringComparison.Ordinal);
        Assert.Contains("\"traffic\":[{\"revision\":1,\"percent\":100}]", told[^2].DataJson, StringComparison.Ordinal);
        Assert.All(told, d => Assert.InRange(d.DataJson.Length, 2, 20_000));
    }

    [Fact]
    public async Task Log_IsForgottenAfterAWhile_AndWhatWaitsIsNot()
    {
        using var receiver = new WebhookReceiver();
        using var call = Call();
        await AddAsync(receiver.Address);
        await RegisterAsync("Iris");
        await Sender(call).SendDueAsync();
        await RegisterAsync("Lily");
        Product.Clock.Advance(TimeSpan.FromDays(31));
        Assert.Equal(1, await Sender(call).ForgetOldAsync());
        Assert.Equal(("Lily", 0), ((await DeliveryAsync()).Subject, await CountAsync(db => db.WebhookAttempts)));
    }

    [Fact]
    public async Task Endpoint_ThatDoesNotAnswer_HoldsUpOnlyItself()
    {
        using var good = new WebhookReceiver();
        using var call = Call();
        await AddAsync("http://localhost:1/");      // nothing listens there
        await AddAsync(good.Address);
        for (var i = 0; i < 5; i++)
            await RegisterAsync($"Iris{i}");
        Assert.Equal(5, await Sender(call).SendDueAsync());
        Assert.Equal(1, await CountAsync(db => db.WebhookAttempts.Where(a => a.Status == null)));
        Assert.Equal([.. Enumerable.Range(0, 5).Select(i => $"Iris{i}")], good.Calls.Select(c => System.Text.Json.JsonDocument.Parse(c.Text).RootElement.GetProperty("data").GetProperty("name").GetString()));
    }
}

public sealed class WebhooksOnSqlite() : WebhookTests(DatabaseProvider.Sqlite);

public sealed class WebhooksOnPostgres() : WebhookTests(DatabaseProvider.Postgres);
