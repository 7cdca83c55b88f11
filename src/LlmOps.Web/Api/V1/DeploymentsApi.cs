using System.Security.Claims;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Knowledge;
using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Security;
using LlmOps.Web.Serving;

namespace LlmOps.Web.Api.V1;

public sealed record DeployedRevision(string Deployment, int Number, int TrafficPercent);

public static class DeploymentsApi
{
    public static void MapDeployments(this IEndpointRouteBuilder v1)
    {
        var deployments = v1.MapGroup("/deployments").WithTags("Deployments");
        deployments.MapGet("", ([AsParameters] ListParameters list, DeploymentKind? kind, ReadDeployments read, CancellationToken ct) => read.ListAsync(list.Q, kind, list.From, list.Most, ct))
            .WithSummary("Deployments with the revisions that take traffic.");
        deployments.MapGet("/{name}", (string name, ReadDeployments read, CancellationToken ct) => read.GetAsync(name, ct)).WithSummary("One deployment with all its revisions.");
        deployments.MapGet("/{name}/batch", (string name, ReadBatches batches, CancellationToken ct) => batches.GetAsync(name, ct)).WithSummary("The last steps of the loaded models behind a deployment: rows, prompt tokens and who waited.");
        deployments.MapPost("", async (DeployRequest body, Deploy deploy, ReadKnowledge knowledge, ClaimsPrincipal user, CancellationToken ct) =>
        {
            var revision = await deploy.DeployAsync(body.Name, body.Kind, body.Version, body.Variant, await IndexAsync(body.Index, knowledge, ct), user.ToActor(), ct);
            return Results.Created($"/api/v1/deployments/{body.Name}", new DeployedRevision(body.Name, revision.Number, revision.TrafficPercent));
        }).RequirePermission(Permission.Deploy).WithSummary("Serves an approved variant; the new revision takes all traffic.");
        deployments.MapPut("/{name}/traffic", async (string name, TrafficRequest body, ShiftTraffic shift, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await shift.ShiftAsync(name, body.Shares, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.Deploy).WithSummary("Shares of the traffic by revision, in percent; together 100.");
        deployments.MapPost("/{name}/canary", async (string name, CanaryRequest body, StartCanary start, ReadKnowledge knowledge, ClaimsPrincipal user, CancellationToken ct) =>
        {
            var canary = await start.StartAsync(name, body.Version, body.Variant, await IndexAsync(body.Index, knowledge, ct), body.Percent, body.Policy ?? new(), user.ToActor(), ct);
            return Results.Created($"/api/v1/deployments/{name}", new DeployedRevision(name, canary.Candidate, body.Percent));
        }).RequirePermission(Permission.Deploy).WithSummary("Gives a new revision a share of the traffic and rolls it back by itself when it is worse.");
        deployments.MapPut("/{name}/shadow", async (string name, ShadowRequest body, ShadowTraffic shadow, ClaimsPrincipal user, CancellationToken ct) =>
        {
            await shadow.SetAsync(name, body.Revision, body.Percent, user.ToActor(), ct);
            return Results.NoContent();
        }).RequirePermission(Permission.Deploy).WithSummary("Copies a share of the requests to a revision whose answers nobody sees; 0 ends it.");
        deployments.MapPost("/{name}/rollback", async (string name, ShiftTraffic shift, ClaimsPrincipal user, CancellationToken ct) =>
            new DeployedRevision(name, await shift.RollbackAsync(name, user.ToActor(), ct), 100)).RequirePermission(Permission.Deploy).WithSummary("All traffic back to the revision before.");
        deployments.MapPost("/{name}/chat", ChatAsync).RequirePermission(Permission.Chat).Produces<ChatAnswer>().WithSummary("Chats. With \"stream\": true it answers with server-sent events.");
        deployments.MapPost("/{name}/ask", (string name, AskRequest body, AskDeployment ask, ClaimsPrincipal user, CancellationToken ct) => ask.AskAsync(name, body.Question, body.K, user.ToActor(), ServingClient.Of(user), ct))
            .RequirePermission(Permission.Chat).WithSummary("Answers from documents with sentences quoted from them, with citations and the passages found.");
    }

    public static void MapKnowledge(this IEndpointRouteBuilder v1)
    {
        var knowledge = v1.MapGroup("/knowledge").WithTags("Knowledge");
        knowledge.MapGet("", ([AsParameters] ListParameters list, ReadKnowledge read, CancellationToken ct) => read.ListAsync(list.Q, list.From, list.Most, ct)).WithSummary("Knowledge bases with their newest index.");
        knowledge.MapGet("/{name}", (string name, ReadKnowledge read, CancellationToken ct) => read.GetAsync(name, ct)).WithSummary("One knowledge base with its indexes.");
        knowledge.MapGet("/{name}/search", (string name, string q, int? build, int? k, SearchKnowledge search, CancellationToken ct) => search.SearchAsync(name, build, q, k ?? 5, ct))
            .WithSummary("What a question finds: by words, by embeddings and fused.");
    }

    private static async Task<Guid?> IndexAsync(string? key, ReadKnowledge knowledge, CancellationToken ct)
    {
        if (key is null)
            return null;
        var parsed = VersionKey.Parse(key);
        return (await knowledge.GetAsync(parsed.Name, ct)).Builds.FirstOrDefault(b => b.Number == parsed.Number)?.Id ?? throw LlmOpsException.NotFound("Index build", key);
    }

    private static async Task ChatAsync(string name, ChatRequest body, ChatWithDeployment chat, ClaimsPrincipal user, HttpContext http, CancellationToken ct)
    {
        ChatAnswer? answer = null;
        try
        {
            await foreach (var piece in chat.ChatAsync(name, body.Messages, body.Options, user.ToActor(), ServingClient.Of(user), ct))
            {
                answer = piece.Answer;
                if (body.Stream)
                    await (answer is null ? SendAsync(http, "token", new { piece.Text }) : SendAsync(http, "done", answer));
            }
            if (!body.Stream)
                await http.Response.WriteAsJsonAsync(answer, Json.Options, ct);
        }
        catch (Exception e) when (http.Response.HasStarted && !ct.IsCancellationRequested)
        {
            // The status is sent already: the stream itself has to say that it broke off.
            var (code, message, _) = ApiErrors.Translate(e);
            await SendAsync(http, "error", new ApiError(code.WireName(), message, ApiErrors.RequestId(http)));
        }
    }

    private static async Task SendAsync(HttpContext http, string name, object data)
    {
        if (!http.Response.HasStarted)
        {
            http.Response.ContentType = "text/event-stream";
            http.Response.Headers.CacheControl = "no-store";
        }
        await http.Response.WriteAsync($"event: {name}\ndata: {Json.Write(data)}\n\n", http.RequestAborted);
        await http.Response.Body.FlushAsync(http.RequestAborted);
    }
}
