using System.CommandLine;
using System.Globalization;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using LlmOps.Lifecycle;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>Commands that talk to a running server with an API token. What has no command of its own is reached with "api".</summary>
internal static class ServerCommands
{
    internal static readonly Option<string> Server = new("--server")
    {
        Description = "Address of the server; when not given, that of LLMOPS_URL, or of the last 'llmops login'.", Recursive = true,
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable("LLMOPS_URL") is { Length: > 0 } given ? given : SignIns.Read().Current ?? "http://localhost:5080",
    };

    private static readonly JsonSerializerOptions Readable = new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly JsonElement Nothing = JsonSerializer.SerializeToElement(new { });

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
        command.SetAction((parsed, ct) => RawAsync(parsed, new HttpMethod(parsed.GetValue(method)!.ToUpperInvariant()), parsed.GetValue(path)!, Content(parsed.GetValue(body)), ct));
        return command;
    }

    private static Command List()
    {
        var json = Output.Json;
        var command = new Command("list", "Lists the pipelines with their newest run.") { Server };
        command.SetAction((parsed, ct) => ListAsync(parsed, "/pipelines?take=1000", parsed.GetValue(json), "No pipelines yet. Define one in the browser, or with 'llmops api POST /pipelines'.", ct,
            ("name", r => r.Text("name")), ("revision", r => r.Text("revision")), ("newest run", r => Newest(r).Text("number")), ("state", r => Newest(r).Text("state")), ("started", r => Newest(r).Time("created_at"))));
        return command;
    }

    private static Command Start()
    {
        var name = new Argument<string>("name") { Description = "Pipeline name." };
        var watch = new Option<bool>("--watch") { Description = "Follow the run to its end, as 'llmops watch' does." };
        var json = Output.Json;
        var command = new Command("start", "Starts a run.") { name, watch, Server };
        command.SetAction(async (parsed, ct) =>
        {
            using var connection = ServerConnection.Open(parsed);
            var run = await connection.SendAsync(HttpMethod.Post, $"/pipelines/{Uri.EscapeDataString(parsed.GetValue(name)!)}/runs", null, ct);
            if (parsed.GetValue(watch))
                return await WatchCommand.FollowAsync(connection, run.GetProperty("id").GetGuid(), parsed.GetValue(json), ct);
            Console.WriteLine(parsed.GetValue(json) ? Pretty(run) : $"{run.Text("pipeline")} #{run.Text("number")} is {run.Text("state")}: {connection.Server}/pipeline-runs/{run.Text("id")}");
            return 0;
        });
        return command;
    }

    private static JsonElement Newest(JsonElement pipeline) => pipeline.TryGetProperty("latest", out var run) && run.ValueKind == JsonValueKind.Object ? run : Nothing;

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
        var json = Output.Json;
        var command = new Command("list", "Lists the schedules with what they start.") { Server };
        command.SetAction((parsed, ct) => ListAsync(parsed, "/schedules", parsed.GetValue(json), "No schedules yet. Make one with 'llmops schedules create'.", ct,
            ("id", r => r.Text("id")), ("name", r => r.Text("name")), ("starts", r => r.Text("pipeline") is { Length: > 0 } pipeline ? pipeline : r.Text("kind")), ("cron", r => $"{r.Text("cron")} {r.Text("time_zone")}"),
            ("enabled", r => r.Text("enabled")), ("last", r => r.Time("last_fired_at"))));
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

    /// <summary>For a reader, in the command's own words or as names and values; with --json as it came.</summary>
    internal static async Task<int> SendAsync(ParseResult parsed, HttpMethod method, string path, HttpContent? content, CancellationToken ct, Action<JsonElement>? show = null)
    {
        using var connection = ServerConnection.Open(parsed);
        var answer = await connection.SendAsync(method, path, content, ct);
        if (!parsed.GetValue(Output.Json))
            (show ?? (a => ReadableAnswer.Write(a)))(answer);
        else if (answer.ValueKind != JsonValueKind.Undefined)
            Console.WriteLine(Pretty(answer));
        return 0;
    }

    /// <summary>The answer of "api", which is JSON whatever it says.</summary>
    private static async Task<int> RawAsync(ParseResult parsed, HttpMethod method, string path, HttpContent? content, CancellationToken ct)
    {
        using var connection = ServerConnection.Open(parsed);
        using var answer = await connection.AnswerAsync(method, path, content, ct);
        var text = await answer.Content.ReadAsStringAsync(ct);
        (answer.IsSuccessStatusCode ? Console.Out : Console.Error).WriteLine(Pretty(text));
        return answer.IsSuccessStatusCode ? 0 : 1;
    }

    /// <summary>Rows of a list as a table, or the answer as it came.</summary>
    internal static async Task<int> ListAsync(ParseResult parsed, string path, bool json, string none, CancellationToken ct, params (string Name, Func<JsonElement, string> Cell)[] columns)
    {
        using var connection = ServerConnection.Open(parsed);
        var answer = await connection.GetAsync(path, ct);
        var rows = answer.ValueKind == JsonValueKind.Array ? answer : answer.GetProperty("rows");
        if (json)
            Console.WriteLine(Pretty(answer));
        else if (rows.GetArrayLength() == 0)
            Console.WriteLine(none);
        else
            Table(rows.EnumerateArray(), columns);
        if (!json && answer.ValueKind == JsonValueKind.Object && answer.TryGetProperty("total", out var total) && total.GetInt32() > rows.GetArrayLength())
            Console.WriteLine($"{rows.GetArrayLength()} of {total.GetInt32()}. The rest: llmops api GET '{path.Split('?')[0]}?skip={rows.GetArrayLength()}'");
        return 0;
    }

    internal static void Table(IEnumerable<JsonElement> rows, params (string Name, Func<JsonElement, string> Cell)[] columns)
    {
        var table = new Table().Border(TableBorder.Minimal);
        foreach (var (name, _) in columns)
            table.AddColumn(name);
        foreach (var row in rows)
            table.AddRow([.. columns.Select(c => Markup.Escape(c.Cell(row)))]);
        AnsiConsole.Write(table);
    }

    /// <summary>A value as text; nothing where it is absent, as it is when it is null.</summary>
    internal static string Text(this JsonElement row, string name) => row.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value.ToString() : "";

    internal static string Time(this JsonElement row, string name) => row.TryGetProperty(name, out var value) && value.TryGetInt64(out var milliseconds)
        ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).ToLocalTime().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) : "";

    internal static string Pretty(JsonElement answer) => JsonSerializer.Serialize(answer, Readable);

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
            return Pretty(document.RootElement);
        }
        catch (JsonException)
        {
            return text;
        }
    }
}
