using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Security;
using LlmOps.Web.Serving;

namespace LlmOps.Web.Api.OpenAI;

/// <summary>What clients of OpenAI's API call, and vLLM's additions, which it serves without the prefix too.</summary>
public static class OpenAIApi
{
    public static void AddOpenAI(this IServiceCollection services)
    {
        services.AddSingleton<FindModel>();
        services.AddSingleton<ChatCompletions>();
        services.AddSingleton<RagCompletions>();
        services.AddSingleton<TextCompletions>();
        services.AddSingleton<Embeddings>();
    }

    public static void MapOpenAI(this WebApplication app)
    {
        var v1 = app.MapGroup("/v1").WithTags("OpenAI");
        v1.MapGet("/models", async (ReadServedVersions served, CancellationToken ct) =>
            Results.Json(new { @object = "list", data = (await served.ListAsync(ct)).Select(m => new ServedModelCard(m.Name, m.CreatedAt.ToUnixTimeSeconds())) }, OpenAIErrors.Json))
            .RequireReadOrChat().WithSummary("Models that answer: deployments, and aliases of versions.");
        v1.MapGet("/models/{**id}", async (string id, FindModel find, HttpContext http, TimeProvider time, ReadServedVersions served, CancellationToken ct) =>
        {
            var name = Uri.UnescapeDataString(id);
            var listed = (await served.ListAsync(ct)).FirstOrDefault(m => m.Name == name);
            if (listed is null)
                await find.GetAsync(name, null, http.User.ToActor(), ct);
            return Results.Json(new ServedModelCard(name, (listed?.CreatedAt ?? time.GetUtcNow()).ToUnixTimeSeconds()), OpenAIErrors.Json);
        }).RequireReadOrChat().WithSummary("One model, by any of its names.");
        v1.MapPost("/chat/completions", (ChatCompletionRequest body, ChatCompletions chat, HttpContext http) => chat.AnswerAsync(body, http))
            .RequirePermission(Permission.Chat).Produces<ChatCompletion>().WithSummary("Answers a conversation, whole or as server-sent events.");
        v1.MapPost("/completions", (CompletionRequest body, TextCompletions texts, HttpContext http) => texts.AnswerAsync(body, http))
            .RequirePermission(Permission.Chat).Produces<TextCompletion>().WithSummary("Continues texts, whole or as server-sent events.");
        v1.MapPost("/embeddings", (EmbeddingRequest body, Embeddings embeddings, HttpContext http) => embeddings.EmbedAsync(body, http))
            .RequirePermission(Permission.Chat).WithSummary("Texts as vectors.");
        foreach (var prefix in new[] { "/v1", "" })
            MapAdditions(app.MapGroup(prefix).WithTags("OpenAI"));
    }

    private static void MapAdditions(RouteGroupBuilder group)
    {
        group.MapPost("/tokenize", TokenizeAsync).RequirePermission(Permission.Chat).WithSummary("The tokens of a text or a conversation.");
        group.MapPost("/detokenize", DetokenizeAsync).RequirePermission(Permission.Chat).WithSummary("The text of tokens.");
        group.MapPost("/score", (ScoreRequest body, Embeddings embeddings, HttpContext http) => embeddings.ScoreAsync(body, http)).RequirePermission(Permission.Chat).WithSummary("How alike texts are.");
        group.MapPost("/rerank", (RerankRequest body, Embeddings embeddings, HttpContext http) => embeddings.RerankAsync(body, http)).RequirePermission(Permission.Chat).WithSummary("Documents in the order of their likeness to a query.");
    }

    private static async Task<IResult> TokenizeAsync(TokenizeRequest body, FindModel find, ServedModels served, ServingLimits limits, HttpContext http, TimeProvider time, CancellationToken ct)
    {
        var revision = await find.GetAsync(body.Model, null, http.User.ToActor(), ct);
        using var admitted = limits.Enter(ServingClient.Of(http.User));
        using var lease = await served.Models.BorrowAsync(revision.VariantDigest, ct);
        var generator = lease.Value;
        var tokens = body.Messages is { } messages ? Prompts.Chat(generator, new(ChatMessages.Read(messages)) { AddGenerationPrompt = true, Now = time.GetUtcNow() }, new()).Tokens
            : body.Prompt is not { } prompt ? Sampling.Refuse<int[]>("prompt", "a text, unless 'messages' are given")
            : body.AddSpecialTokens == false ? generator.Tokenizer.Encode(prompt) : TextCompletions.Beginning(generator, prompt);
        return Results.Json(new { count = tokens.Length, max_model_len = generator.Config.MaxPositionEmbeddings, tokens, token_strs = body.ReturnTokenStrs == true ? tokens.Select(t => LogProbabilities.Text(generator.Tokenizer, t)) : null }, OpenAIErrors.Json);
    }

    private static async Task<IResult> DetokenizeAsync(DetokenizeRequest body, FindModel find, ServedModels served, ServingLimits limits, HttpContext http, CancellationToken ct)
    {
        var revision = await find.GetAsync(body.Model, null, http.User.ToActor(), ct);
        using var admitted = limits.Enter(ServingClient.Of(http.User));
        using var lease = await served.Models.BorrowAsync(revision.VariantDigest, ct);
        var tokenizer = lease.Value.Tokenizer;
        var tokens = body.Tokens ?? Sampling.Refuse<int[]>("tokens", "a list of token ids");
        Prompts.EnsureTokens(tokens, tokenizer.VocabularySize, "tokens");
        return Results.Json(new { prompt = tokenizer.Decode(tokens, skipSpecial: false) }, OpenAIErrors.Json);
    }
}
