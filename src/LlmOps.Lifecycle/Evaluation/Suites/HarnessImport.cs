using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using LlmOps.Lifecycle.Pipelines.Stages;
using YamlDotNet.RepresentationModel;

namespace LlmOps.Lifecycle.Evaluation.Suites;

/// <summary>
/// Reads task files in the format of lm-evaluation-harness: multiple_choice, loglikelihood, loglikelihood_rolling and generate_until. What cannot be done the same way is
/// refused by name; nothing is left out in silence. The rows come from elsewhere: the format names a dataset of a hub.
/// </summary>
public static partial class HarnessImport
{
    // Where the rows would come from, and what groups and describes tasks: none of it changes a number.
    private static readonly string[] Places = ["dataset_path", "dataset_name", "dataset_kwargs", "training_split", "validation_split", "test_split", "fewshot_split"];
    private static readonly string[] Labels = ["tag", "group", "task_alias", "metadata", "should_decontaminate", "doc_to_decontamination_query", "version"];

    public static SuiteTask Read(string yaml, SuiteSource source)
    {
        var problems = new List<FieldProblem>();
        var task = YamlReader.Root(yaml, "one YAML mapping with 'task' and 'output_type' is expected.", problems) is { } root ? Read(root, source, problems) : null;
        if (problems.Count > 0)
            throw LlmOpsException.Invalid("The task file cannot be imported:\n" + string.Join("\n", problems.Select(p => $"- {p.Path}: {p.Message}")));
        return task!;
    }

    private static SuiteTask Read(YamlMappingNode root, SuiteSource source, List<FieldProblem> problems)
    {
        var y = new YamlReader(root, "", problems);
        foreach (var node in root.AllNodes.Where(n => !n.Tag.IsEmpty && n.Tag.Value.StartsWith("!function", StringComparison.Ordinal)))
            problems.Add(new($"line {node.Start.Line}", "!function calls Python code, which is not run here. Write the row's field as a template."));
        foreach (var key in Places.Concat(Labels))
            y.Node(key);
        var type = y.Text("output_type") ?? "generate_until";
        var kind = type switch { "multiple_choice" => "multiple-choice", "loglikelihood" or "loglikelihood_rolling" => "perplexity", "generate_until" => "generation", _ => "" };
        if (kind.Length == 0)
            y.Problem("output_type", $"'{type}' is not supported. Supported: multiple_choice, loglikelihood, loglikelihood_rolling, generate_until.");
        var rolling = type == "loglikelihood_rolling";
        var text = Template(y, "doc_to_text");
        var target = Template(y, "doc_to_target");
        var shots = Shots(y, out var count);
        if (y.Text("description") is { Length: > 0 } description)
            if (count == 0)
                text = description + text;
            else
                y.Problem("description", "a description together with few-shot examples is not supported: put it into the first example, or set num_fewshot: 0.");
        if ((y.Text("fewshot_delimiter") ?? "\n\n") != "\n\n")
            y.Problem("fewshot_delimiter", "only an empty line between examples is supported.");
        if (y.Whole("repeats", 1, 1, 1000) != 1)
            y.Problem("repeats", "more than one answer for each row is not supported: run the suite with repeats instead.");
        var (stop, tokens, temperature) = kind == "generation" ? Generation(y) : ([], 64, 0);
        var task = new SuiteTask
        {
            Name = (y.Text("task") ?? "task").ToLowerInvariant().Replace('.', '-').Replace(' ', '-'), Kind = kind, Dataset = source.Dataset, Rows = source.Rows, Chat = false,
            Prompt = rolling ? "" : text, Target = rolling ? (target.Length > 0 ? target : text) : target, Choices = kind == "multiple-choice" ? Choices(y) : [],
            Delimiter = y.Text("target_delimiter") ?? (rolling ? "" : " "), FewShot = count, Shots = shots, Stop = stop, MaxTokens = tokens, Temperature = temperature, Metrics = Metrics(y, type),
        };
        foreach (var key in root.Children.Keys.Select(k => k.ToString()))
            if (Unsupported(key) is { } why)
            {
                y.Node(key);
                y.Problem(key, why);
            }
        y.Unknown("a task file", "this key is not supported, and a number might depend on it. Remove it, or write the suite by hand.");
        return task;
    }

    private static string? Unsupported(string key) => key switch
    {
        "include" => "another file is included here: put its keys into this one.",
        "unsafe_code" => "unsafe_code runs what the model wrote through Python code that is not run here: write a task of kind 'code' with the same prompt and tests.",
        "process_docs" or "process_results" or "custom_dataset" or "class" => $"{key} is Python code, which is not run here.",
        "filter_list" => "filters change answers before they are scored: use the metric regex, number, contains or is_json instead.",
        "doc_to_image" or "doc_to_audio" => "images and sound are not supported.",
        "use_prompt" => "prompts of promptsource are not here: write the template into doc_to_text.",
        "gen_prefix" => "a text that the answer begins with is not supported: put it at the end of doc_to_text.",
        _ => null,
    };

    /// <summary>A bare name is a column; everything else is Jinja.</summary>
    private static string Template(YamlReader y, string key)
    {
        var text = y.Text(key) ?? "";
        if (BlockAtLineEnd().IsMatch(text))
            y.Problem(key, "a {% block %} that ends or begins a line: line breaks around it are kept there and not here. Write the template without the line break, or with {%- and -%}.");
        return Column().IsMatch(text) && !int.TryParse(text, out _) ? $"{{{{ {text} }}}}" : text;
    }

    private static IReadOnlyList<string> Choices(YamlReader y)
    {
        if (y.Node("doc_to_choice") is YamlMappingNode map)
            return [.. map.Children.Values.Select(v => v.ToString())];
        return y.Node("doc_to_choice") is YamlScalarNode ? [Template(y, "doc_to_choice")] : y.Texts("doc_to_choice");
    }

    private static IReadOnlyList<JsonObject> Shots(YamlReader y, out int count)
    {
        count = y.Whole("num_fewshot", 0, 0, 100);
        IReadOnlyList<JsonObject> shots = [];
        if (y.Node("fewshot_config") is YamlMappingNode map)
        {
            var problems = new List<FieldProblem>();
            var config = new YamlReader(map, "fewshot_config.", problems);
            shots = config.Objects("samples");
            if (config.Text("sampler") is not "first_n")
                config.Problem("sampler", "only 'first_n' is supported.");
            config.Unknown("fewshot_config", "this key is not supported.");
            foreach (var problem in problems)
                y.Problem("fewshot_config", problem.Message);
        }
        else if (count > 0)
            y.Problem("num_fewshot", "examples are drawn at random by default, which cannot be repeated here: name them with fewshot_config: { sampler: first_n, samples: [...] }.");
        return shots;
    }

    private static (IReadOnlyList<string> Stop, int Tokens, double Temperature) Generation(YamlReader y)
    {
        if (y.Node("generation_kwargs") is not YamlMappingNode map)
            return (["\n\n"], 256, 0);
        var problems = new List<FieldProblem>();
        var g = new YamlReader(map, "generation_kwargs.", problems);
        var sampled = g.Flag("do_sample", false);
        var answer = (g.Texts("until"), g.Whole("max_gen_toks", 256, 1, 100_000), g.Number("temperature", 0, 0, 10) is var t && sampled ? t : 0);
        g.Unknown("generation_kwargs", "this option is not supported.");
        foreach (var problem in problems)
            y.Problem("generation_kwargs", $"{problem.Path}: {problem.Message}");
        return answer;
    }

    private static List<SuiteMetric> Metrics(YamlReader y, string type)
    {
        var found = new List<SuiteMetric>();
        foreach (var node in (y.Node("metric_list") as YamlSequenceNode)?.Children ?? [])
        {
            var problems = new List<FieldProblem>();
            var m = new YamlReader(node as YamlMappingNode ?? new YamlMappingNode(), "metric_list.", problems);
            var name = m.Text("metric") ?? node.ToString();
            m.Text("higher_is_better");
            if (m.Text("aggregation") is { } how && how != name && how is not ("mean" or "perplexity" or "weighted_perplexity" or "bits_per_byte"))
                m.Problem("aggregation", $"'{how}' is not supported.");
            var metric = (type, name) switch
            {
                ("multiple_choice", "acc") => "accuracy", ("multiple_choice", "acc_norm") => "accuracy_norm",
                ("loglikelihood", "acc") => "greedy", ("loglikelihood", "perplexity") => "perplexity",
                ("loglikelihood_rolling", "word_perplexity" or "byte_perplexity" or "bits_per_byte") => name,
                ("generate_until", "exact_match") => "equals", ("generate_until", "bleu" or "chrf") => name,
                _ => null,
            };
            var options = new Dictionary<string, string>();
            if (metric == "equals")
            {
                options["untrimmed"] = "true";
                foreach (var flag in (string[])["ignore_case", "ignore_punctuation"])
                    if (m.Flag(flag, false))
                        options[flag] = "true";
            }
            m.Unknown("a metric", "this option of a metric is not supported.");
            foreach (var problem in problems)
                y.Problem("metric_list", problem.Message);
            if (metric is null)
                y.Problem("metric_list", $"the metric '{name}' of {type} is not supported.");
            else
                found.Add(new(metric, options));
        }
        if (found.Count == 0)
            found.Add(new(type switch { "multiple_choice" => "accuracy", "loglikelihood" => "perplexity", "loglikelihood_rolling" => "word_perplexity", _ => "equals" },
                type == "generate_until" ? new Dictionary<string, string> { ["untrimmed"] = "true" } : []));
        return found;
    }

    [GeneratedRegex(@"^[A-Za-z_]\w*$")]
    private static partial Regex Column();

    [GeneratedRegex(@"[^-][%#]\}\r?\n|(^|\n)[ \t]+\{[%#][^-]")]
    private static partial Regex BlockAtLineEnd();
}
