using System.CommandLine;
using System.Globalization;
using System.Text.Json;

namespace LlmOps.Cli;

/// <summary>Traces and conversations on a server.</summary>
internal static class TraceCommands
{
    public static Command Create() => new("traces", "Traces on a server.") { List(), Show(), Sessions() };

    private static Command List()
    {
        var search = new Option<string?>("--search") { Description = "A part of the id, the name, what was asked or answered." };
        var deployment = new Option<string?>("--deployment") { Description = "Only of this deployment." };
        var session = new Option<string?>("--session") { Description = "Only of this conversation." };
        var outcome = new Option<string?>("--outcome") { Description = "failed or answered." };
        var take = new Option<int>("--take") { Description = "How many at most.", DefaultValueFactory = _ => 20 };
        var command = new Command("list", "Lists traces, newest first.") { search, deployment, session, outcome, take, ServerCommands.Server };
        command.SetAction((parsed, ct) =>
        {
            var query = new[] { ("q", parsed.GetValue(search)), ("deployment", parsed.GetValue(deployment)), ("session", parsed.GetValue(session)), ("outcome", parsed.GetValue(outcome)) }
                .Where(p => !string.IsNullOrEmpty(p.Item2)).Select(p => $"&{p.Item1}={Uri.EscapeDataString(p.Item2!)}");
            return ServerCommands.SendAsync(parsed, HttpMethod.Get, $"/traces?take={parsed.GetValue(take)}{string.Concat(query)}", null, ct, Rows);
        });
        return command;
    }

    private static Command Show()
    {
        var id = new Argument<string>("id") { Description = "Id of the trace, 32 hexadecimal digits." };
        var command = new Command("show", "Shows one trace with its steps and what was said of it.") { id, ServerCommands.Server };
        command.SetAction((parsed, ct) => ServerCommands.SendAsync(parsed, HttpMethod.Get, $"/traces/{Uri.EscapeDataString(parsed.GetValue(id)!)}", null, ct, Steps));
        return command;
    }

    private static Command Sessions()
    {
        var id = new Argument<string?>("id") { Description = "Id of a conversation: its turns. Without one: the list.", Arity = ArgumentArity.ZeroOrOne };
        var command = new Command("sessions", "Lists conversations, newest first, or shows the turns of one.") { id, ServerCommands.Server };
        command.SetAction((parsed, ct) => ServerCommands.SendAsync(parsed, HttpMethod.Get, parsed.GetValue(id) is { Length: > 0 } one ? $"/sessions/one?id={Uri.EscapeDataString(one)}" : "/sessions", null, ct, parsed.GetValue(id) is { Length: > 0 } ? null : Conversations));
        return command;
    }

    private static void Rows(JsonElement answer)
    {
        var rows = answer.GetProperty("rows");
        if (rows.GetArrayLength() == 0)
            Console.WriteLine("No traces.");
        else
            ServerCommands.Table(rows.EnumerateArray(), ("when", r => r.Time("started_at")), ("id", r => r.Text("trace_id")), ("name", r => ReadableAnswer.Cut(r.Text("name"), 24)), ("asked", r => ReadableAnswer.Cut(r.Text("input"), 40)),
                ("outcome", r => r.Text("error") is { Length: > 0 } error ? "failed: " + ReadableAnswer.Cut(error, 30) : "answered"), ("took", r => Took(r)), ("tokens out", r => r.Text("output_tokens")));
        if (answer.GetProperty("total").GetInt32() > rows.GetArrayLength())
            Console.WriteLine($"{rows.GetArrayLength()} of {answer.Text("total")}; --take shows more.");
    }

    private static void Conversations(JsonElement answer)
    {
        if (answer.GetProperty("rows").GetArrayLength() == 0)
            Console.WriteLine("No conversations.");
        else
            ServerCommands.Table(answer.GetProperty("rows").EnumerateArray(), ("id", r => r.Text("id")), ("last", r => r.Time("last_at")), ("began", r => r.Time("started_at")), ("traces", r => r.Text("traces")), ("failed", r => r.Text("failed")), ("tokens", r => r.Text("tokens")));
    }

    /// <summary>The steps as a tree, in the order in which they began, and below what was asked, answered and said of it.</summary>
    private static void Steps(JsonElement trace)
    {
        var spans = trace.GetProperty("spans").EnumerateArray().ToList();
        Console.WriteLine($"{trace.Text("trace_id")}, {trace.Time("started_at")}, {Took(trace)}");
        var known = spans.Select(s => s.Text("span_id")).ToHashSet();
        void Under(string parent, string margin)
        {
            foreach (var span in spans.Where(s => parent.Length == 0 ? !known.Contains(s.Text("parent_span_id")) : s.Text("parent_span_id") == parent))
            {
                Console.WriteLine($"{margin}{span.Text("name")} ({span.Text("kind")}) {Took(span)}{(span.Text("error") is { Length: > 0 } error ? " failed: " + error : "")}");
                // A trace of strangers may be as deep as they like.
                if (margin.Length < 64)
                    Under(span.Text("span_id"), margin + "  ");
            }
        }
        Under("", "");
        var first = spans.FirstOrDefault(s => s.Text("parent_span_id").Length == 0, spans[0]);
        foreach (var (word, field) in new[] { ("Asked", "input"), ("Answered", "output") })
            if (first.Text(field) is { Length: > 0 } text)
                Console.WriteLine($"{word}: {text}");
        foreach (var thumb in trace.GetProperty("feedback").EnumerateArray())
            Console.WriteLine($"{thumb.Text("person_name")}: {(thumb.Text("score") == "1" ? "good" : "bad")} {thumb.Text("comment")}");
        foreach (var said in trace.GetProperty("assessments").EnumerateArray())
            Console.WriteLine($"{said.Text("source_id")}: {said.Text("name")} {said.Text("value_json")} {said.Text("rationale")}");
    }

    private static string Took(JsonElement row) => row.TryGetProperty("duration_ms", out var ms) && ms.ValueKind == JsonValueKind.Number ? string.Create(CultureInfo.InvariantCulture, $"{ms.GetDouble():0.###} ms") : "";
}
