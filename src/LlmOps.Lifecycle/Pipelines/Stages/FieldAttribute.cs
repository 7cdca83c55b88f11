namespace LlmOps.Lifecycle.Pipelines.Stages;

/// <summary>
/// Describes one parameter of a stage once, for the YAML check, the form in the browser, the CLI help and the report alike.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class FieldAttribute(string help) : Attribute
{
    public string Help { get; } = help;
    public string? Label { get; init; }
    public string? Unit { get; init; }
    public double Min { get; init; } = double.NaN;
    public double Max { get; init; } = double.NaN;
    public string[]? Allowed { get; init; }
    public bool Required { get; init; }
    /// <summary>The value names something an earlier stage made: "${stage.output}" or a name that exists already.</summary>
    public bool Reference { get; init; }
}
