using System.Security.Claims;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Tracing;
using LlmOps.Web.Security;

namespace LlmOps.Web.Api.V1;

/// <summary>What traces are asked for, beside the text. Times are Unix milliseconds.</summary>
public sealed record TraceParameters(string? Deployment = null, string? Kind = null, string? Outcome = null, string? Feedback = null, string? Name = null, string? Model = null, string? Service = null, string? Session = null,
    long? After = null, long? Before = null, double? LeastMs = null, int? LeastTokens = null, double? LeastCostUsd = null)
{
    public TraceFilter ToFilter(string? q) => new(q, Deployment, Kind, Outcome, Feedback)
    {
        Name = Name, Model = Model, Service = Service, Session = Session, From = Time(After), To = Time(Before), LeastMs = LeastMs, LeastTokens = LeastTokens, LeastCostUsd = LeastCostUsd,
    };

    // A time that no calendar has is before or after everything.
    private static DateTimeOffset? Time(long? ms) => ms is { } at ? DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(at, 0, 253_402_300_799_999)) : null;
}

public sealed record TracesToDatasetRequest(IReadOnlyList<string> Traces, string Dataset, DatasetKind Kind = DatasetKind.Instruction);

public static class TracesApi
{
    public static void MapTraces(this IEndpointRouteBuilder v1)
    {
        var traces = v1.MapGroup("/traces").WithTags("Traces");
        traces.MapGet("", ([AsParameters] ListParameters list, [AsParameters] TraceParameters filter, ReadTraces read, CancellationToken ct) => read.ListAsync(filter.ToFilter(list.Q), list.From, list.Most, ct))
            .WithSummary("Traces, newest first. outcome: failed or answered; feedback: up or down.");
        traces.MapGet("/curves", (string? q, [AsParameters] TraceParameters filter, ReadTraceCurves read, CancellationToken ct) => read.ReadAsync(filter.ToFilter(q), ct)).WithSummary("Latency, tokens and cost over time, of the traces that fit.");
        traces.MapGet("/{id}", (string id, ReadTraces read, CancellationToken ct) => read.GetAsync(id, ct)).WithSummary("One trace with its spans and feedback.");
        traces.MapPost("/to-dataset", async (TracesToDatasetRequest body, AddTracesToDataset add, ClaimsPrincipal user, CancellationToken ct) =>
        {
            var added = await add.AddAsync(body.Traces, body.Dataset, body.Kind, user.ToActor(), ct);
            return new { dataset = $"{body.Dataset}/{added.Version.Number}", added.Rows, added.Without };
        }).RequirePermission(Permission.WriteDatasets).WithSummary("Adds rows made of traces to a dataset: Instruction, Unpaired (with feedback) or Preference (two answers to one question).");
        traces.MapPost("/{id}/feedback", async (string id, FeedbackRequest body, GiveFeedback give, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await give.GiveAsync(id, body.Score, body.Comment, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.Chat).WithSummary("Your feedback, 1 or -1; giving it again replaces it.");

        MapPrices(v1);
    }

    public static void MapSessions(this IEndpointRouteBuilder v1)
    {
        var sessions = v1.MapGroup("/sessions").WithTags("Traces");
        sessions.MapGet("", ([AsParameters] ListParameters list, ReadSessions read, CancellationToken ct) => read.ListAsync(list.Q, list.From, list.Most, ct)).WithSummary("Conversations, the one that was spoken in last first.");
        // In the query: clients choose these ids, and some have slashes.
        sessions.MapGet("/one", (string id, ReadSessions read, CancellationToken ct) => read.GetAsync(id, ct)).WithSummary("One conversation across its traces, oldest first.");
    }

    private static void MapPrices(IEndpointRouteBuilder v1)
    {
        var prices = v1.MapGroup("/prices").WithTags("Traces");
        prices.MapGet("", (ReadPrices read, CancellationToken ct) => read.ListAsync(ct)).WithSummary("Prices of models, in US dollars for a million tokens.");
        prices.MapPut("", async (PriceForm body, SetPrices set, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await set.SetAsync(body, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.Administer).WithSummary("Adds or changes the price of a model, or of all whose names begin alike ('gpt-4o*').");
        prices.MapDelete("", async (string model, SetPrices set, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await set.DeleteAsync(model, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.Administer).WithSummary("Deletes a price.");
    }
}
