using System.Text.RegularExpressions;

namespace LlmOps.Engines.Quantization;

/// <summary>Nodes that a pass leaves as they are.</summary>
/// <param name="Names">Regular expressions; a node whose name contains a match is left alone. A node without a name goes by its first output.</param>
/// <param name="OpTypes">Operator types, for example <c>Conv</c>; exact and case-sensitive.</param>
public sealed record ExclusionRules(IReadOnlyList<string>? Names = null, IReadOnlyList<string>? OpTypes = null)
{
    /// <summary>Excludes nothing.</summary>
    public static ExclusionRules None { get; } = new();

    private (IReadOnlyList<string>? Names, Regex[] Rules) compiled;

    /// <summary>Whether a node stays as it is.</summary>
    /// <exception cref="ArgumentException">A name rule is no regular expression, or one that needs backtracking.</exception>
    public bool Excludes(string name, string opType)
    {
        if (compiled.Rules is null || !ReferenceEquals(compiled.Names, Names)) // a copy made with other names brings the old rules along
            compiled = (Names, [.. (Names ?? []).Select(Compile)]);
        return OpTypes?.Contains(opType) == true || Array.Exists(compiled.Rules, rule => rule.IsMatch(name));
    }

    internal bool Excludes(Onnx.Wire.NodeProto node) => Excludes(node.Name.Length > 0 ? node.Name : node.Output.FirstOrDefault() ?? "", node.OpType);

    /// <summary>Throws for a rule that cannot be used, before any work is done.</summary>
    internal void EnsureValid() => Excludes("", "");

    private static Regex Compile(string rule)
    {
        try
        {
            // Rules come from people and stored specifications: without backtracking no rule takes for ever.
            return new Regex(rule, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking);
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            throw new ArgumentException($"'{rule}' cannot be used as a name rule: {e.Message}", e);
        }
    }

    /// <summary>Equal rules in the same order; a missing list is an empty one.</summary>
    public bool Equals(ExclusionRules? other) =>
        other is not null && (Names ?? []).SequenceEqual(other.Names ?? []) && (OpTypes ?? []).SequenceEqual(other.OpTypes ?? []);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var rule in (Names ?? []).Concat(OpTypes ?? []))
            hash.Add(rule, StringComparer.Ordinal);
        return hash.ToHashCode();
    }

    /// <summary>The rules as a short text, for reports.</summary>
    public override string ToString() => $"names [{string.Join(", ", Names ?? [])}], op types [{string.Join(", ", OpTypes ?? [])}]";
}
