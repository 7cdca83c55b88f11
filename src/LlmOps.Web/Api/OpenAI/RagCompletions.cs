using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Serving;

namespace LlmOps.Web.Api.OpenAI;

/// <summary>A question over documents on the chat surface: the answer's sentences are quoted, and where they stand comes in <c>citations</c>.</summary>
public sealed class RagCompletions(AskDeployment ask)
{
    private const int Passages = 5;

    public async Task AnswerAsync(AnswerHead answer, string question, ChatCompletionRequest body, Actor actor, HttpContext http)
    {
        var found = await ask.AskAsync(answer.Revision, question, Passages, actor, ServingClient.Of(http.User), http.RequestAborted);
        answer.Announce(http, found.TraceId);
        // Nothing was generated: the sentences are the documents' own.
        var usage = Usage.Of(0, 0, 0);
        var message = new AnswerMessage("assistant", found.Answer)
        {
            Annotations = [.. found.Citations.Select(c => new { type = "file_citation", file_citation = new { file_id = c.Document, quote = c.Sentence, heading = c.Heading, start_line = c.StartLine, number = c.Number } })],
        };
        if (body.Stream != true)
        {
            await http.Response.WriteAsJsonAsync(answer.Whole([new(0, message, null, "stop")], usage) with { Citations = found.Citations }, OpenAIErrors.Json, http.RequestAborted);
            return;
        }
        var events = new EventStream(http);
        await events.SendAsync(answer.Chunk(new ChunkChoice(0, new() { Role = "assistant", Content = "" }, null, null)));
        await events.SendAsync(answer.Chunk(new ChunkChoice(0, new() { Content = found.Answer }, null, null)));
        await events.SendAsync(answer.Chunk(new ChunkChoice(0, new(), null, "stop")) with { Citations = found.Citations });
        if (body.StreamOptions?.IncludeUsage == true)
            await events.SendAsync(answer.Chunk([]) with { Usage = usage });
        await events.EndAsync();
    }
}
