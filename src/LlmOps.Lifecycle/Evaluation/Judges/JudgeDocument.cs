using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;

namespace LlmOps.Lifecycle.Evaluation.Judges;

/// <summary>A checked description of a judge: which model is asked, with what words, and how often. Its properties are the YAML's keys.</summary>
public sealed partial record JudgeDocument
{
    public const string Local = "local", OpenAi = "openai", Pairwise = "pairwise", Score = "score";

    public required string Name { get; init; }
    public string Description { get; init; } = "";
    /// <summary>"local" for a version of this registry, "openai" for an endpoint that speaks OpenAI's chat completions.</summary>
    public required string Kind { get; init; }
    /// <summary>local: "name/number".</summary>
    public string? Version { get; init; }
    public string? Variant { get; init; }
    /// <summary>openai: the address before "/chat/completions".</summary>
    public string? Endpoint { get; init; }
    public string? Model { get; init; }
    /// <summary>openai: name of the setting under "Judges:Keys" that holds the key. The key itself is in no document.</summary>
    public string? ApiKey { get; init; }
    public string Mode { get; init; } = Pairwise;
    /// <summary>What counts, in words.</summary>
    public string Criteria { get; init; } = "";
    /// <summary>Jinja over question, answer (score) or answer_a and answer_b (pairwise), reference and criteria.</summary>
    public string Prompt { get; init; } = "";
    /// <summary>Scores go from 1 to this.</summary>
    public int Scale { get; init; } = 5;
    /// <summary>Asks a second time with the answers swapped; a preference that does not survive that is a tie.</summary>
    public bool BothOrders { get; init; } = true;
    /// <summary>Questions for each order; their majority counts, and how far they agree is reported.</summary>
    public int Samples { get; init; } = 1;
    public double Temperature { get; init; }
    public int MaxTokens { get; init; } = 256;
    public double TimeoutSeconds { get; init; } = 60;
    /// <summary>How often a question is asked again when the judge fails or gives no verdict.</summary>
    public int Retries { get; init; } = 2;
    /// <summary>Questions under way at once.</summary>
    public int Concurrency { get; init; } = 4;
    /// <summary>US dollars for a million tokens.</summary>
    public double PriceIn { get; init; }
    public double PriceOut { get; init; }

    /// <param name="modelDigest">Of the local variant; null for an endpoint, which nothing pins.</param>
    public string Digest(string? modelDigest) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Json.Write(new { Document = this, modelDigest }))));

    public double CostUsd(int promptTokens, int answerTokens) => (promptTokens * PriceIn + answerTokens * PriceOut) / 1e6;

    /// <summary>Parses and checks everything; the error lists every problem with its path and line.</summary>
    public static JudgeDocument Parse(string yaml)
    {
        var problems = new List<FieldProblem>();
        var document = TryParse(yaml, problems);
        if (problems.Count > 0)
            throw LlmOpsException.Invalid("The judge cannot be used:\n" + string.Join("\n", problems.Select(p => $"- {p.Path}: {p.Message}")));
        return document!;
    }

    public static JudgeDocument? TryParse(string yaml, List<FieldProblem> problems)
    {
        if (YamlReader.Root(yaml, "one YAML mapping with 'name' and 'kind' is expected.", problems) is not { } root)
            return null;
        var y = new YamlReader(root, "", problems);
        var judge = new JudgeDocument
        {
            Name = y.Text("name") ?? "", Description = y.Text("description") ?? "", Kind = y.Text("kind") ?? "", Version = y.Text("version"), Variant = y.Text("variant"), Endpoint = y.Text("endpoint")?.TrimEnd('/'),
            Model = y.Text("model"), ApiKey = y.Text("api_key"), Mode = y.Text("mode") ?? Pairwise, Criteria = y.Text("criteria") ?? "", Prompt = y.Text("prompt") ?? "", Scale = y.Whole("scale", 5, 2, 100),
            BothOrders = y.Flag("both_orders", true), Samples = y.Whole("samples", 1, 1, 32), Temperature = y.Number("temperature", 0, 0, 2), MaxTokens = y.Whole("max_tokens", 256, 1, 8192),
            TimeoutSeconds = y.Number("timeout_seconds", 60, 0.1, 600), Retries = y.Whole("retries", 2, 0, 10), Concurrency = y.Whole("concurrency", 4, 1, 64),
            PriceIn = y.Number("price_in", 0, 0, 1e6), PriceOut = y.Number("price_out", 0, 0, 1e6),
        };
        y.Unknown("a judge");
        Check(y, judge);
        return problems.Count > 0 ? null : judge;
    }

    private static void Check(YamlReader y, JudgeDocument judge)
    {
        if (!NamePattern().IsMatch(judge.Name))
            y.Problem("name", "a name of lower-case letters, digits, dots, dashes and underscores is needed.");
        if (judge.Mode is not (Pairwise or Score))
            y.Problem("mode", $"'{judge.Mode}' is no mode. Allowed: {Pairwise}, {Score}.");
        if (judge.Criteria.Length == 0 && judge.Prompt.Length == 0)
            y.Problem("criteria", "say what makes an answer good: a judge without criteria judges by its own taste.");
        if (judge is { Samples: > 1, Temperature: 0 })
            y.Problem("samples", "at temperature 0 every sample is the same: set a 'temperature'.");
        switch (judge.Kind)
        {
            case Local:
                CheckLocal(y, judge);
                break;
            case OpenAi:
                CheckEndpoint(y, judge);
                break;
            default:
                y.Problem("kind", $"'{judge.Kind}' is no kind of judge. Allowed: {Local}, {OpenAi}.");
                break;
        }
        try
        {
            JudgePrompt.Check(judge);
        }
        catch (ArgumentException e)
        {
            y.Problem("prompt", e.Message);
        }
    }

    private static void CheckLocal(YamlReader y, JudgeDocument judge)
    {
        foreach (var key in (string[])["endpoint", "model", "api_key", "price_in", "price_out", "timeout_seconds"])
            if (y.Has(key))
                y.Problem(key, $"a {Local} judge has none: nothing leaves this machine.");
        if (judge.Version is null)
            y.Problem("version", $"a {Local} judge needs a version, 'name/number'.");
        else
            try { VersionKey.Parse(judge.Version); } catch (LlmOpsException e) { y.Problem("version", e.Message); }
        if (judge.Variant is null)
            y.Problem("variant", $"a {Local} judge needs a variant of that version.");
    }

    private static void CheckEndpoint(YamlReader y, JudgeDocument judge)
    {
        foreach (var key in (string[])["version", "variant"])
            if (y.Has(key))
                y.Problem(key, $"an {OpenAi} judge has none: name its 'endpoint' and 'model'.");
        if (!Uri.TryCreate(judge.Endpoint, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
            y.Problem("endpoint", "an http or https address is needed, for example http://127.0.0.1:8000/v1.");
        else if (address.UserInfo.Length > 0 || address.Query.Length > 0)
            y.Problem("endpoint", "no password and no query belongs into the address: it is shown to everybody. Name a key with 'api_key'.");
        if (string.IsNullOrEmpty(judge.Model))
            y.Problem("model", "the name by which the endpoint knows the model is needed.");
        if (judge.ApiKey is { } key2 && !KeyName().IsMatch(key2))
            y.Problem("api_key", "this is the name of a setting (letters, digits, underscores), not the key: set Judges__Keys__NAME where the worker runs.");
    }

    [GeneratedRegex("^[a-z0-9][a-z0-9._-]{0,99}$")]
    private static partial Regex NamePattern();

    [GeneratedRegex("^[A-Za-z][A-Za-z0-9_]{0,63}$")]
    private static partial Regex KeyName();
}
