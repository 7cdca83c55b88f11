using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.EndToEnd.Tests;

/// <summary>
/// Traffic of a deployment that drifted within the last day, written into a data folder through the use cases that the server itself has: questions of dictionaries before, longer ones about bills now, answers in German that refuse, a guard
/// that withholds some, a slower model. Pages are pictured with it; nothing of it is kept anywhere else.
/// </summary>
internal static class DriftedTraffic
{
    private static readonly string[] Before = ["Define *river*.", "Define *lease* in one sentence.", "What does *brisk* mean?", "Define *to wander* and give an example.", "What is a *harbour*?"];
    private static readonly string[] Now = ["Why was my bill higher in March than in February although I used less?", "Warum ist meine Rechnung so hoch, und wie bekomme ich mein Geld zurück?", "My contract ends in May: which clause says how I can cancel it earlier?", "Define *river*."];

    public static async Task WriteAsync(string data, string deployment, string revision, CancellationToken ct = default)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { ["Data:Folder"] = data }).Build();
        var collection = new ServiceCollection();
        collection.AddLogging();
        collection.AddSingleton(TimeProvider.System);
        collection.AddLifecycle(configuration);
        await using var services = collection.BuildServiceProvider();
        var (spans, received, random, now) = (services.GetRequiredService<IngestSpans>(), services.GetRequiredService<ReceiveSpans>(), new Random(7), DateTimeOffset.UtcNow);
        List<Span> roots = [];
        for (var i = 0; i < 1400; i++)
            roots.AddRange(Trace(deployment, revision, now.AddHours(-25 - random.NextDouble() * 24 * 12), Before[random.Next(Before.Length)], random.NextDouble() < 0.01 ? "I'm sorry, but I can't help with that." : "A word of the dictionary, explained.", 1, random));
        List<Span> withheld = [];
        for (var i = 0; i < 700; i++)
        {
            var (question, draw) = (Now[random.Next(Now.Length)], random.NextDouble());
            var made = Trace(deployment, revision, now.AddMinutes(-5 - random.NextDouble() * 23 * 60), question, draw < 0.06 ? "Dazu darf ich leider nichts sagen." : draw < 0.09 ? "" : "The bill has three parts; the second one was counted twice and is paid back within a week.", 1.7, random);
            if (draw is >= 0.06 and < 0.09)
                withheld.Add(made[0]);
            roots.AddRange(made);
        }
        await spans.IngestAsync(roots, ct);
        await StartCanaryAsync(services, deployment, random, ct);
        await services.GetRequiredService<SetPrices>().SetAsync(new PriceForm("gpt*", 2, 8, 0.5, null), Actor.WithRoles(Guid.CreateVersion7(), "accounts", [Roles.Admin]), ct);
        await received.ReceiveAsync([.. Enumerable.Range(0, 4).SelectMany(i => Turn(i, now.AddMinutes(-30 + 6 * i)))], ct);
        await received.ReceiveAsync([.. withheld.Select((root, i) => new ReceivedSpan
        {
            TraceId = root.TraceId, SpanId = $"{i + 1:x16}", ParentSpanId = root.SpanId, Name = "guard", StartNanos = (ulong)root.StartUnixNanos(), EndNanos = (ulong)root.EndUnixNanos(),
            Attributes = new() { ["gen_ai.operation.name"] = "chat", ["gen_ai.response.finish_reasons"] = new List<object?> { "content_filter" } },
        })], ct);
    }

    /// <summary>The same variant once more with a tenth of the traffic, in the middle of its looks.</summary>
    private static async Task StartCanaryAsync(ServiceProvider services, string deployment, Random random, CancellationToken ct)
    {
        var serving = (await services.GetRequiredService<ReadDeployments>().GetAsync(deployment, ct)).Revisions.First(r => r.TrafficPercent > 0);
        await services.GetRequiredService<StartCanary>().StartAsync(deployment, $"{serving.Model}/{serving.VersionNumber}", serving.Variant, null, 10, new CanaryPolicy(Requests: 200), Actor.System, ct);
        var started = DateTimeOffset.UtcNow.AddMilliseconds(5);
        List<Span> asked = [];
        for (var i = 0; i < 520; i++)
            asked.AddRange(Trace(deployment, $"{deployment}#{(i < 400 ? serving.Number : serving.Number + 1)}", started.AddMilliseconds(i), Now[random.Next(Now.Length)], "The bill has three parts; the second one was counted twice and is paid back within a week.", 1.7, random));
        await services.GetRequiredService<IngestSpans>().IngestAsync(asked, ct);
        await services.GetRequiredService<WatchCanaries>().WatchAsync(ct);
    }

    /// <summary>One turn of a conversation that a shop's program sent by OpenTelemetry, with a search inside.</summary>
    private static ReceivedSpan[] Turn(int number, DateTimeOffset at)
    {
        var (trace, start) = ($"{number + 1:x32}", (ulong)at.ToUnixTimeMilliseconds() * 1_000_000);
        var resource = new Dictionary<string, object?> { ["service.name"] = "shop" };
        return
        [
            new() { TraceId = trace, SpanId = $"{1:x16}", Name = "chat gpt-x", StartNanos = start, EndNanos = start + 1_840_000_123, Resource = resource, Attributes = new()
            {
                ["gen_ai.operation.name"] = "chat", ["gen_ai.request.model"] = "gpt-x", ["gen_ai.provider.name"] = "openai", ["session.id"] = "order-4711", ["gen_ai.usage.input_tokens"] = 120L + 60 * number, ["gen_ai.usage.output_tokens"] = 45L,
                ["gen_ai.input.messages"] = $"[{{\"role\":\"user\",\"content\":\"{Now[number % Now.Length]}\"}}]", ["gen_ai.output.messages"] = "[{\"role\":\"assistant\",\"content\":\"I have looked it up: the second part was counted twice.\"}]",
            } },
            new() { TraceId = trace, SpanId = $"{2:x16}", ParentSpanId = $"{1:x16}", Name = "search orders", StartNanos = start + 400_123, EndNanos = start + 900_456, Resource = resource, Attributes = new() { ["gen_ai.operation.name"] = "execute_tool", ["gen_ai.tool.call.arguments"] = "{\"order\":4711}", ["gen_ai.tool.call.result"] = "{\"parts\":3}" } },
        ];
    }

    private static Span[] Trace(string deployment, string revision, DateTimeOffset at, string question, string answer, double slower, Random random)
    {
        var id = Convert.ToHexStringLower(BitConverter.GetBytes(random.NextInt64()).Concat(BitConverter.GetBytes(random.NextInt64())).ToArray());
        var (asked, answered) = (question.Length / 4 + random.Next(6), answer.Length / 4 + random.Next(8));
        var took = slower * (80 + 9 * answered + random.NextDouble() * 60);
        return
        [
            new Span { TraceId = id, SpanId = id[..16], Name = deployment, Kind = "chat", DeploymentName = deployment, RevisionName = revision, StartedAt = at, DurationMs = took, FirstTokenMs = took / 4, InputTokens = asked, OutputTokens = answered, Input = question, Output = answer, UserName = "shop" },
            new Span { TraceId = id, SpanId = id[16..], ParentSpanId = id[..16], Name = revision, Kind = "generation", StartedAt = at.AddMilliseconds(2), DurationMs = took - 3, InputTokens = asked, OutputTokens = answered, Input = question, Output = answer },
        ];
    }
}
