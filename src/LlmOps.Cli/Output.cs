using System.CommandLine;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using Spectre.Console;

namespace LlmOps.Cli;

/// <summary>How every command answers: for a reader unless --json is given, then one JSON value on the standard output and errors as JSON on the standard error.</summary>
internal static class Output
{
    internal static readonly Option<bool> Json = new("--json") { Description = "Print the answer as JSON, and errors as JSON on the standard error.", Recursive = true };

    /// <summary>Also of a line that could not be understood, and before it was.</summary>
    public static bool IsJson(IEnumerable<string> arguments) => arguments.TakeWhile(a => a != "--").Contains("--json");

    /// <summary>One or the other; the text is for a terminal and is not wrapped.</summary>
    public static void Say(ParseResult parsed, object answer, FormattableString text)
    {
        if (parsed.GetValue(Json))
            Console.WriteLine(Lifecycle.Data.Json.Write(answer));
        else
            AnsiConsole.MarkupLineInterpolated(text);
    }

    public static void Fail(ErrorCode code, string message, bool json)
    {
        if (json)
            Console.Error.WriteLine(Lifecycle.Data.Json.Write(new { ErrorCode = code.WireName(), Message = message }));
        else
            AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) }).MarkupLineInterpolated($"[red]{code.WireName()}[/] {message}");
    }
}
