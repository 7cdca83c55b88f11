namespace LlmOps.Lifecycle.Tracing;

/// <summary>What a model costs, in US dollars for a million tokens. Nothing is shipped: prices are what an administrator writes down.</summary>
public sealed class ModelPrice
{
    public Guid Id { get; init; } = Guid.CreateVersion7();

    /// <summary>The model's name as clients send it. A star at the end stands for any rest: the longest name that fits holds.</summary>
    public required string Model { get; init; }

    public double InputUsd { get; set; }
    public double OutputUsd { get; set; }

    /// <summary>Null: as any other input.</summary>
    public double? CacheReadUsd { get; set; }

    /// <summary>Null: as any other input.</summary>
    public double? CacheWriteUsd { get; set; }

    public DateTimeOffset ChangedAt { get; set; }

    /// <summary>How many characters of the name this price knows, or -1 when it is for other models.</summary>
    private int Fit(string model) =>
        Model.EndsWith('*') ? model.StartsWith(Model[..^1], StringComparison.OrdinalIgnoreCase) ? Model.Length - 1 : -1
        : model.Equals(Model, StringComparison.OrdinalIgnoreCase) ? int.MaxValue : -1;

    /// <summary>The price of a model: its own name before a pattern, a longer pattern before a shorter one.</summary>
    public static ModelPrice? Of(string? model, IReadOnlyList<ModelPrice> prices) =>
        model is null ? null : prices.Select(p => (Price: p, Fit: p.Fit(model))).Where(p => p.Fit >= 0).OrderByDescending(p => p.Fit).Select(p => p.Price).FirstOrDefault();
}
