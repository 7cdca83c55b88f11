using System.CommandLine;
using System.CommandLine.Completions;
using LlmOps.Lifecycle;

namespace LlmOps.Cli;

/// <summary>Completion by the shell: its script asks this program, so that it never lags behind the commands.</summary>
internal static class CompletionCommand
{
    /// <summary>Position and line go through the parser's own directive: [suggest:POSITION] LINE.</summary>
    private static readonly Dictionary<string, string> Scripts = new(StringComparer.Ordinal)
    {
        ["bash"] = """
            _llmops() {
              local IFS=$'\n'
              COMPREPLY=($(compgen -W "$(llmops "[suggest:$COMP_POINT]" "$COMP_LINE" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
            }
            complete -o default -F _llmops llmops
            """,
        ["zsh"] = """
            #compdef llmops
            _llmops() {
              local -a found
              found=("${(@f)$(llmops "[suggest:${#BUFFER}]" "$BUFFER" 2>/dev/null)}")
              compadd -a found
            }
            compdef _llmops llmops
            """,
        ["fish"] = """
            complete -c llmops -f -a '(llmops "[suggest:"(commandline -C)"]" (commandline -cp) 2>/dev/null)'
            """,
        ["pwsh"] = """
            Register-ArgumentCompleter -Native -CommandName llmops -ScriptBlock {
              param($word, $tree, $position)
              llmops "[suggest:$position]" "$tree" | Where-Object { $_ -like "$word*" } | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
            }
            """,
    };

    public static Command Create()
    {
        var shell = new Argument<string>("shell") { Description = string.Join(", ", Scripts.Keys) + "." };
        shell.CompletionSources.Add(_ => Scripts.Keys.Select(s => new CompletionItem(s)));
        var command = new Command("completion", "Prints the script that completes llmops in a shell, for example: source <(llmops completion bash)") { shell };
        command.SetAction(parsed =>
        {
            Console.WriteLine(Scripts.GetValueOrDefault(parsed.GetValue(shell)!) ?? throw LlmOpsException.Invalid($"There is no completion for '{parsed.GetValue(shell)}'. Shells are {string.Join(", ", Scripts.Keys)}."));
            return 0;
        });
        return command;
    }
}
