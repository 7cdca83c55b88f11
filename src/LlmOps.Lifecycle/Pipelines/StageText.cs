using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace LlmOps.Lifecycle.Pipelines;

/// <summary>Changes one parameter in the text of a pipeline. Everything else, comments and order included, stays as it was written.</summary>
public static class StageText
{
    /// <param name="value">A YAML scalar or flow sequence on one line; null takes the parameter out.</param>
    public static string Set(string yaml, string stageName, string parameter, string? value)
    {
        var stage = Find(yaml, stageName);
        if (Child(stage, "with") is not YamlMappingNode { Children.Count: > 0 } with)
            return value is null ? yaml : InsertWith(yaml, stage, parameter, value);
        foreach (var (key, node) in with.Children)
            if (key.ToString() == parameter)
                return value is null ? Remove(yaml, with, key, node) : Replace(yaml, key, node, value);
        if (value is null)
            return yaml;
        var last = with.Children[^1];
        if (with.Style == YamlDotNet.Core.Events.MappingStyle.Flow)
            return yaml.Insert(End(yaml, last.Value), $", {parameter}: {value}");
        return yaml.Insert(End(yaml, last.Value), $"\n{Indent(with.Children[0].Key)}{parameter}: {value}");
    }

    private static string Replace(string yaml, YamlNode key, YamlNode node, string value)
    {
        var colon = yaml.IndexOf(':', (int)key.End.Index) + 1;
        return yaml[..colon] + " " + value + yaml[Math.Max(End(yaml, node), colon)..];
    }

    private static string Remove(string yaml, YamlMappingNode with, YamlNode key, YamlNode node)
    {
        if (with.Style == YamlDotNet.Core.Events.MappingStyle.Flow || with.Children.Count == 1)
            return Replace(yaml, key, node, "\"\"");       // an empty text is the default of every parameter that may be left out
        var start = yaml.LastIndexOf('\n', (int)key.Start.Index) + 1;
        var end = yaml.IndexOf('\n', End(yaml, node));
        return yaml[..start] + (end < 0 ? "" : yaml[(end + 1)..]);
    }

    private static string InsertWith(string yaml, YamlMappingNode stage, string parameter, string value)
    {
        if (stage.Style == YamlDotNet.Core.Events.MappingStyle.Flow)
            return yaml.Insert(End(yaml, stage.Children[^1].Value), $", with: {{{parameter}: {value}}}");
        var indent = Indent(stage.Children[0].Key);
        if (stage.Children.FirstOrDefault(c => c.Key.ToString() == "with") is { Key: { } key, Value: { } nothing })
        {
            var colon = yaml.IndexOf(':', (int)key.End.Index) + 1;
            var end = nothing is YamlScalarNode { Value: null or "" } ? colon : Math.Max(End(yaml, nothing), colon);
            return yaml[..colon] + $"\n{indent}  {parameter}: {value}" + yaml[end..];
        }
        return yaml.Insert(End(yaml, stage.Children[^1].Value), $"\n{indent}with:\n{indent}  {parameter}: {value}");
    }

    private static YamlMappingNode Find(string yaml, string stageName)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(yaml));
        return ((stream.Documents[0].RootNode as YamlMappingNode is { } root ? Child(root, "stages") : null) as YamlSequenceNode)?.Children.OfType<YamlMappingNode>()
            .FirstOrDefault(s => (Child(s, "name") ?? Child(s, "kind"))?.ToString() == stageName) ?? throw LlmOpsException.NotFound("Stage", stageName);
    }

    /// <summary>Where the node's own text ends: block collections report the start of what follows them.</summary>
    private static int End(string yaml, YamlNode node)
    {
        var end = node switch
        {
            YamlSequenceNode { Style: YamlDotNet.Core.Events.SequenceStyle.Block, Children.Count: > 0 } list => End(yaml, list.Children[^1]),
            YamlMappingNode { Style: YamlDotNet.Core.Events.MappingStyle.Block, Children.Count: > 0 } map => End(yaml, map.Children[^1].Value),
            _ => (int)node.End.Index,
        };
        while (end > node.Start.Index && end > 0 && char.IsWhiteSpace(yaml[end - 1]))
            end--;
        return end;
    }

    private static string Indent(YamlNode key) => new(' ', (int)Math.Max(0, key.Start.Column - 1));

    private static YamlNode? Child(YamlMappingNode map, string key) => map.Children.TryGetValue(new YamlScalarNode(key), out var node) ? node : null;
}
