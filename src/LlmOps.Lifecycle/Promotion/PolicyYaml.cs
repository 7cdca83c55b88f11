using System.Globalization;
using System.Text.RegularExpressions;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace LlmOps.Lifecycle.Promotion;

/// <summary>Reads a policy strictly: an unknown key, a wrong word or a number out of range is refused with its line, because a rule that is silently ignored lets things through.</summary>
internal static partial class PolicyYaml
{
    private static readonly string[] TopKeys =
        ["name", "description", "alpha", "power", "correction", "looks", "minimum_rows", "maximum_missing", "thresholds", "budgets", "non_inferiority", "improvements", "slices", "demands"];

    public static PolicyDocument? Read(string yaml, List<string> problems)
    {
        if (Root(yaml, problems) is not { } root)
            return null;
        var top = new Map(root, "", problems);
        top.Only(TopKeys);
        var name = top.Text("name");
        if (name is null || !NamePattern().IsMatch(name))
            problems.Add($"line {root.Start.Line}: 'name' is a name of lower-case letters, digits and dashes.");
        var rules = new List<PolicyRule>();
        foreach (var entry in top.List("thresholds", ["metric", "at_least", "at_most", "above", "below"]))
            rules.AddRange(Bound(entry, PolicyRuleKind.Threshold, problems));
        foreach (var entry in top.List("budgets", ["metric", "at_most"]))
            rules.AddRange(Bound(entry, PolicyRuleKind.Budget, problems));
        foreach (var entry in top.List("non_inferiority", ["metric", "margin"]))
            rules.Add(new(PolicyRuleKind.NonInferiority, entry.Metric(), "", entry.Number("margin", 0, double.MaxValue, null)));
        foreach (var entry in top.List("improvements", ["metric", "by"]))
            rules.Add(new(PolicyRuleKind.Improvement, entry.Metric(), "", entry.Number("by", 0, double.MaxValue, 0)));
        foreach (var entry in top.List("slices", ["metric", "margin", "only"]))
            rules.Add(new(PolicyRuleKind.Slices, entry.Metric(), "", entry.Number("margin", 0, double.MaxValue, null), entry.Names("only")));
        if (top.Child("demands") is { } demands)
            rules.AddRange(Demands(demands, problems));
        if (rules.Count == 0 && problems.Count == 0)
            problems.Add($"line {root.Start.Line}: the policy has no rule: it would let everything through. Add thresholds, budgets, non_inferiority, improvements, slices or demands.");
        foreach (var twice in rules.GroupBy(r => r.Text).Where(g => g.Count() > 1 && problems.Count == 0))
            problems.Add($"the rule '{twice.Key}' is there twice.");
        var document = new PolicyDocument
        {
            Name = name ?? "", Description = top.Text("description") ?? "", Alpha = top.Number("alpha", 0.0001, 0.5, 0.05), Power = top.Number("power", 0.5, 0.999, 0.8),
            Correction = top.Word("correction", "holm", ["holm", "none"]) == "none" ? PolicyCorrection.None : PolicyCorrection.Holm,
            Looks = top.Whole("looks", 1, 20, 1), MinimumRows = top.Whole("minimum_rows", 2, 100_000_000, 2), MaximumMissing = top.Number("maximum_missing", 0, 1, 0.02), Rules = rules,
        };
        return problems.Count == 0 ? document : null;
    }

    private static IEnumerable<PolicyRule> Bound(Map entry, PolicyRuleKind kind, List<string> problems)
    {
        (string Key, string Operator)[] bounds = [("at_least", ">="), ("at_most", "<="), ("above", ">"), ("below", "<")];
        var metric = entry.Metric();
        var given = bounds.Where(b => entry.Has(b.Key)).ToList();
        if (given.Count == 0)
            problems.Add($"line {entry.Line}: {(kind == PolicyRuleKind.Budget ? "a budget needs 'at_most'" : "a threshold needs one of at_least, at_most, above, below")}.");
        foreach (var (key, sign) in given)
            yield return new(kind, metric, sign, entry.Number(key, double.MinValue, double.MaxValue, null));
    }

    private static List<PolicyRule> Demands(Map demands, List<string> problems)
    {
        demands.Only(["parity", "contamination", "licences"]);
        var rules = new List<PolicyRule>();
        if (demands.Has("parity") && demands.Word("parity", "", ["passed"]) is not null)
            rules.Add(new(PolicyRuleKind.Parity));
        if (demands.Has("contamination") && demands.Word("contamination", "", ["zero"]) is not null)
            rules.Add(new(PolicyRuleKind.Contamination));
        if (demands.Has("licences"))
        {
            var licences = demands.Names("licences");
            if (licences.Count == 0)
                problems.Add($"line {demands.Line}: 'licences' is a list of licences that are allowed, for example [MIT, Apache-2.0].");
            rules.Add(new(PolicyRuleKind.Licence, Names: licences));
        }
        return rules;
    }

    private static YamlMappingNode? Root(string yaml, List<string> problems)
    {
        try
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(yaml));
            if (stream.Documents.Count == 1 && stream.Documents[0].RootNode is YamlMappingNode root)
                return root;
            problems.Add("line 1: one YAML mapping with 'name' and rules is expected.");
        }
        catch (YamlException e)
        {
            problems.Add($"line {e.Start.Line}: this is not valid YAML: {e.Message}");
        }
        return null;
    }

    /// <summary>A mapping that says what is wrong with its entries and in which line.</summary>
    private sealed class Map(YamlMappingNode node, string path, List<string> problems)
    {
        public long Line => node.Start.Line;

        public void Only(string[] allowed)
        {
            foreach (var key in node.Children.Keys.Where(k => !allowed.Contains(k.ToString())))
                problems.Add($"line {key.Start.Line}: '{path}{key}' is unknown. Allowed: {string.Join(", ", allowed)}.");
        }

        public bool Has(string key) => node.Children.ContainsKey(new YamlScalarNode(key));

        public Map? Child(string key)
        {
            if (!node.Children.TryGetValue(new YamlScalarNode(key), out var child))
                return null;
            if (child is YamlMappingNode map)
                return new(map, $"{path}{key}.", problems);
            problems.Add($"line {child.Start.Line}: '{path}{key}' is a mapping.");
            return null;
        }

        public IEnumerable<Map> List(string key, string[] allowed)
        {
            if (!node.Children.TryGetValue(new YamlScalarNode(key), out var child))
                yield break;
            if (child is not YamlSequenceNode sequence || sequence.Children.Count == 0)
            {
                problems.Add($"line {child.Start.Line}: '{key}' is a list of rules with {string.Join(", ", allowed)}.");
                yield break;
            }
            foreach (var (i, item) in sequence.Children.Index())
            {
                if (item is not YamlMappingNode map)
                {
                    problems.Add($"line {item.Start.Line}: '{key}[{i}]' is a mapping with {string.Join(", ", allowed)}.");
                    continue;
                }
                var entry = new Map(map, $"{key}[{i}].", problems);
                entry.Only(allowed);
                yield return entry;
            }
        }

        public string? Text(string key) => node.Children.TryGetValue(new YamlScalarNode(key), out var child) ? (child as YamlScalarNode)?.Value : null;

        public string Metric()
        {
            var metric = Text("metric");
            if (metric is null || !MetricPattern().IsMatch(metric))
                problems.Add($"line {Line}: '{path}metric' is a metric, for example preference.accuracy.");
            return metric ?? "";
        }

        public double Number(string key, double least, double most, double? standard)
        {
            if (!Has(key) && standard is { } value)
                return value;
            if (double.TryParse(Text(key), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) && number >= least && number <= most)
                return number;
            problems.Add($"line {At(key)}: '{path}{key}' is a number{Range(least, most)}.");
            return least;
        }

        public int Whole(string key, int least, int most, int standard)
        {
            if (!Has(key))
                return standard;
            if (int.TryParse(Text(key), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most)
                return number;
            problems.Add($"line {At(key)}: '{path}{key}' is a whole number{Range(least, most)}.");
            return least;
        }

        public string? Word(string key, string standard, string[] allowed)
        {
            var word = Has(key) ? Text(key) : standard;
            if (allowed.Contains(word))
                return word;
            problems.Add($"line {At(key)}: '{path}{key}' is {string.Join(" or ", allowed)}.");
            return null;
        }

        public IReadOnlyList<string> Names(string key)
        {
            if (!node.Children.TryGetValue(new YamlScalarNode(key), out var child))
                return [];
            if (child is YamlSequenceNode list && list.Children.All(c => c is YamlScalarNode { Value.Length: > 0 }))
                return [.. list.Children.Select(c => ((YamlScalarNode)c).Value!)];
            problems.Add($"line {child.Start.Line}: '{path}{key}' is a list of names.");
            return [];
        }

        private long At(string key) => node.Children.TryGetValue(new YamlScalarNode(key), out var child) ? child.Start.Line : Line;

        private static string Range(double least, double most) => (least, most) switch
        {
            (double.MinValue, _) => "",
            (_, double.MaxValue) => $" of at least {least.ToString(CultureInfo.InvariantCulture)}",
            _ => $" from {least.ToString(CultureInfo.InvariantCulture)} to {most.ToString(CultureInfo.InvariantCulture)}",
        };
    }

    [GeneratedRegex("^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$")]
    private static partial Regex NamePattern();

    [GeneratedRegex(@"^[A-Za-z0-9_]+([.@-][A-Za-z0-9_]+)*$")]
    private static partial Regex MetricPattern();
}
