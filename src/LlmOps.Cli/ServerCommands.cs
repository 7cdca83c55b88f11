using System.CommandLine;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using LlmOps.Lifecycle;

namespace LlmOps.Cli;

/// <summary>Commands that talk to a running server with an API token. What has no command of its own is reached with "api".</summary>
internal static class ServerCommands
{
    internal static readonly Option<string> Server = new("--server")
    {
        Description = "Address of the server; LLMOPS_URL when not given.", Recursive = true,
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("LLMOPS_URL") ?? "http://localhost:5080",
    };

    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static IEnumerable<Command> Create()
    {
        yield return Api();
        yield return new Command("pipelines", "Pipelines on a server.") { List(), Start() };
        yield return Schedules();
        yield return Runs();
    }

    private static Command Api()
    {
        var method = new Argument<string>("method") { Description = "GET, POST, PUT or DELETE." };
        var path = new Argument<string>("path") { Description = "Path below /api/v1, for example /models." };
        var body = new Option<string?>("--data") { Description = "JSON body, or @file for the contents of a file." };
        var command = new Command("api", "Sends one request to a server's own API and prints the answer.") { method, path, body, Server };
        command.SetAction((parsed, ct) => SendAsync(parsed, new HttpMethod(parsed.GetValue(method)!.ToUpperInvariant()), parsed.GetValue(path)!, Content(parsed.GetValue(body)), ct));
        return command;
    }

    private static Command List()
    {
        var command = new Command("list", "Lists the pipelines with their newest run.") { Server };
        command.SetAction((parsed, ct) => SendAsync(parsed, HttpMethod.Get, "/pipelines", null, ct));
        return command;
    }

    private static Command Start()
    {
        var name = new Argument<string>("name") { Description = "Pipeline name." };
        var command = new Command("start", "Starts a run.") { name, Server };
        command.SetAction((parsed, ct) => SendAsync(parsed, HttpMethod.Post, $"/pipelines/{Uri.EscapeDataString(parsed.GetValue(name)!)}/runs", null, ct));
        return command;
    }

    private static Command Runs() => new("runs", "Training runs on a server.")
    {
        Show(), OnRun("pause", "Saves a checkpoint and waits until it is resumed."), OnRun("resume", "Goes on with a paused training."),
        OnRun("stop", "Ends the training now and keeps its weights as the version."), OnRun("cancel", "Ends the training without a version."), Checkpoints(), Continue(),
    };

    private static Command Show()
    {
        var id = RunId();
        var command = new Command("show", "One run with its verdict, parameters and last values.") { id, Server };
        command.SetAction((parsed, ct) => SendAsync(parsed, HttpMethod.Get, $"/runs/{parsed.GetValue(id)}", null, ct));
        return command;
    }

    private static Command OnRun(string word, string description)
    {
        var id = RunId();
        var command = new Command(word, description) { id, Server };
        command.SetAction((parsed, ct) => SendAsync(parsed, HttpMethod.Post, $"/runs/{parsed.GetValue(id)}/{word}", null, ct));
        return command;
    }

    private static Command Checkpoints()
    {
        var id = RunId();
        var command = new Command("checkpoints", "Lists the checkpoints of a run, newest first.") { id, Server };
        command.SetAction((parsed, ct) => SendAsync(parsed, HttpMethod.Get, $"/runs/{parsed.GetValue(id)}/checkpoints", null, ct));
        return command;
    }

    private static Command Continue()
    {
        var id = RunId();
        var checkpoint = new Argument<Guid>("checkpoint") { Description = "Id of the checkpoint, as the list shows it." };
        var with = new Option<string[]>("--with") { Description = "A parameter of the stage that is to be another than before: epochs=6. May be repeated.", AllowMultipleArgumentsPerToken = true };
        var command = new Command("continue", "Starts the stage again from a checkpoint, in a new run of the same pipeline.") { id, checkpoint, with, Server };
        command.SetAction((parsed, ct) =>
        {
            var changes = (parsed.GetValue(with) ?? []).Select(w => w.Split('=', 2)).ToDictionary(p => p[0], p => p.Length == 2 ? p[1] : throw LlmOpsException.Invalid($"'{p[0]}' has no value. Write it as {p[0]}=value."));
            return SendAsync(parsed, HttpMethod.Post, $"/runs/{parsed.GetValue(id)}/checkpoints/{parsed.GetValue(checkpoint)}/continue", JsonContent.Create(new { with = changes }), ct);
        });
        return command;
    }

    private static Argument<Guid> RunId() => new("run") { Description = "Id of the run, as its page and the stage show it." };

    private static Command Schedules()
    {
        var command = new Command("schedules", "Schedules on a server.") { ListSchedules(), CreateSchedule(), RunSchedule() };
        command.Aliases.Add("schedule");
        return command;
    }

    private static Command ListSchedules()
    {
        var command = new Command("list", "Lists the schedules with what they start.") { Server };
        command.SetAction((parsed, ct) => SendAsync(parsed, HttpMethod.Get, "/schedules", null, ct));
        return command;
    }

    private static Command RunSchedule()
    {
        var id = new Argument<Guid>("id") { Description = "Id of the schedule, as the list shows it." };
        var command = new Command("run-now", "Starts a schedule now; its next due time stays as it is.") { id, Server };
        command.SetAction((parsed, ct) => SendAsync(parsed, HttpMethod.Post, $"/schedules/{parsed.GetValue(id)}/firings", null, ct));
        return command;
    }

    private static Command CreateSchedule()
    {
        var name = new Argument<string>("name") { Description = "Schedule name." };
        var pipeline = new Option<string?>("--pipeline") { Description = "Pipeline to start." };
        var regression = new Option<string?>("--regression") { Description = "Regression check in place of a pipeline: its JSON, or @file." };
        var cron = new Option<string>("--cron") { Description = "Minute, hour, day, month, weekday.", Required = true };
        var zone = new Option<string>("--time-zone") { Description = "IANA time zone.", DefaultValueFactory = _ => "UTC" };
        var overlap = new Option<string>("--overlap") { Description = "While the run before is not over: Skip, Queue or CancelPrevious.", DefaultValueFactory = _ => "Skip" };
        var catchUp = new Option<string>("--catch-up") { Description = "After downtime: Once or Skip.", DefaultValueFactory = _ => "Once" };
        var command = new Command("create", "Makes a schedule.") { name, pipeline, regression, cron, zone, overlap, catchUp, Server };
        command.Aliases.Add("add");
        command.SetAction(async (parsed, ct) =>
        {
            var spec = Content(parsed.GetValue(regression)) is { } given ? JsonSerializer.Deserialize<JsonElement>(await given.ReadAsStringAsync(ct)) : (JsonElement?)null;
            return await SendAsync(parsed, HttpMethod.Post, "/schedules", JsonContent.Create(new
            {
                name = parsed.GetValue(name), pipeline = parsed.GetValue(pipeline), regression = spec, cron = parsed.GetValue(cron), time_zone = parsed.GetValue(zone), overlap = parsed.GetValue(overlap), catch_up = parsed.GetValue(catchUp),
            }), ct);
        });
        return command;
    }

    internal static async Task<int> SendAsync(ParseResult parsed, HttpMethod method, string path, HttpContent? content, CancellationToken ct)
    {
        var server = parsed.GetValue(Server)!;
        var token = Environment.GetEnvironmentVariable("LLMOPS_TOKEN")
            ?? throw LlmOpsException.Invalid("LLMOPS_TOKEN is not set. Make an API token under Settings and export it.");
        if (!Uri.TryCreate(server.TrimEnd('/') + "/api/v1/" + path.TrimStart('/'), UriKind.Absolute, out var address))
            throw LlmOpsException.Invalid($"'{server}' is no address. Set --server or LLMOPS_URL, for example http://localhost:5080.");
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(method, address) { Content = content, Headers = { Authorization = new AuthenticationHeaderValue("Bearer", token) } };
        try
        {
            using var answer = await client.SendAsync(request, ct);
            var text = await answer.Content.ReadAsStringAsync(ct);
            (answer.IsSuccessStatusCode ? Console.Out : Console.Error).WriteLine(Pretty(text));
            return answer.IsSuccessStatusCode ? 0 : 1;
        }
        catch (HttpRequestException e)
        {
            throw new LlmOpsException(ErrorCode.TemporarilyUnavailable, $"{server} does not answer: {e.Message}. Is the server running there?", e);
        }
    }

    private static StringContent? Content(string? body)
    {
        if (body is null)
            return null;
        if (body.StartsWith('@') && !File.Exists(body[1..]))
            throw LlmOpsException.Invalid($"The file '{body[1..]}' does not exist.");
        return new(body.StartsWith('@') ? File.ReadAllText(body[1..]) : body, Encoding.UTF8, "application/json");
    }

    private static string Pretty(string text)
    {
        try
        {
            using var document = JsonDocument.Parse(text);
            return JsonSerializer.Serialize(document.RootElement, Readable);
        }
        catch (JsonException)
        {
            return text;
        }
    }
}
