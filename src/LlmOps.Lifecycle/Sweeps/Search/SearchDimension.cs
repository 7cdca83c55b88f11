using System.Globalization;
using System.Text.Json.Serialization;

namespace LlmOps.Lifecycle.Sweeps.Search;

/// <summary>One parameter that is searched, and the values it may take. Values are texts, as they would stand in the pipeline's YAML.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "kind")]
[JsonDerivedType(typeof(ChoiceDimension), "choice")]
[JsonDerivedType(typeof(IntDimension), "int")]
[JsonDerivedType(typeof(FloatDimension), "float")]
[JsonDerivedType(typeof(LogDimension), "log")]
public abstract record SearchDimension(string Name)
{
    /// <summary>The values that a grid tries, in order and each once.</summary>
    public abstract IReadOnlyList<string> Grid();

    /// <summary>One value for a number from 0 up to 1; equal distances are equally likely.</summary>
    public abstract string At(double unit);

    /// <summary>As in the YAML of a sweep.</summary>
    public abstract string Describe();

    /// <summary>Six digits: nobody reads more of a learning rate, and the text is the same wherever it is written.</summary>
    internal static string Text(double value) => value == Math.Floor(value) && Math.Abs(value) < 1e15 ? ((long)value).ToString(CultureInfo.InvariantCulture)
        : double.Parse(value.ToString("G6", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture).ToString(CultureInfo.InvariantCulture);

    internal static double Number(string text) => double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture);
}

/// <summary>One of some given values, without an order among them.</summary>
public sealed record ChoiceDimension(string Name, IReadOnlyList<string> Values) : SearchDimension(Name)
{
    public override IReadOnlyList<string> Grid() => [.. Values.Distinct()];

    public override string At(double unit) => Values[Math.Min((int)(unit * Values.Count), Values.Count - 1)];

    public override string Describe() => $"one of {string.Join(", ", Values)}";
}

/// <summary>A number between two ends, both included. The axis is what the methods search on: equal steps on it matter equally.</summary>
public abstract record RangeDimension(string Name, double Min, double Max) : SearchDimension(Name)
{
    [JsonIgnore] public abstract double Low { get; }
    [JsonIgnore] public abstract double High { get; }

    public abstract double Axis(double value);

    /// <summary>The nearest value that is allowed.</summary>
    public abstract string OfAxis(double axis);

    public double Axis(string text) => Axis(Number(text));

    public override string At(double unit) => OfAxis(Low + unit * (High - Low));

    private protected IReadOnlyList<string> Spread(int points) =>
        points == 1 ? [OfAxis((Low + High) / 2)] : [.. Enumerable.Range(0, points).Select(i => OfAxis(Low + i * (High - Low) / (points - 1))).Distinct()];

    private protected string Ends => string.Create(CultureInfo.InvariantCulture, $"{Min} … {Max}");
}

/// <summary>Whole numbers Min, Min + Step, … up to Max.</summary>
public sealed record IntDimension(string Name, double Min, double Max, int Step = 1) : RangeDimension(Name, Min, Max)
{
    private int Last => (int)((Max - Min) / Step);

    // Half a step more on both sides: otherwise the two ends would be drawn half as often as the numbers between them.
    public override double Low => Min - Step / 2.0;
    public override double High => Min + (Last + 0.5) * Step;

    public override double Axis(double value) => value;

    public override string OfAxis(double axis) => ((long)Min + (long)Math.Clamp(Math.Round((axis - Min) / Step), 0, Last) * Step).ToString(CultureInfo.InvariantCulture);

    public override IReadOnlyList<string> Grid() => [.. Enumerable.Range(0, Last + 1).Select(i => ((long)Min + (long)i * Step).ToString(CultureInfo.InvariantCulture))];

    public override string Describe() => Step == 1 ? $"{Ends}, whole" : string.Create(CultureInfo.InvariantCulture, $"{Ends} in steps of {Step}");
}

/// <param name="Points">How many values a grid tries.</param>
public sealed record FloatDimension(string Name, double Min, double Max, int Points = 5) : RangeDimension(Name, Min, Max)
{
    public override double Low => Min;
    public override double High => Max;

    public override double Axis(double value) => value;

    public override string OfAxis(double axis) => Text(Math.Clamp(axis, Min, Max));

    public override IReadOnlyList<string> Grid() => Spread(Points);

    public override string Describe() => Ends;
}

/// <summary>Searched by its logarithm: from 1e-5 to 1e-4 is as far as from 1e-4 to 1e-3.</summary>
/// <param name="Points">How many values a grid tries.</param>
/// <param name="Whole">The parameter takes whole numbers only.</param>
public sealed record LogDimension(string Name, double Min, double Max, int Points = 5, bool Whole = false) : RangeDimension(Name, Min, Max)
{
    public override double Low => Math.Log(Min);
    public override double High => Math.Log(Max);

    public override double Axis(double value) => Math.Log(value);

    public override string OfAxis(double axis)
    {
        var value = Math.Clamp(Math.Exp(axis), Min, Max);
        return Whole ? Math.Round(value).ToString(CultureInfo.InvariantCulture) : Text(value);
    }

    public override IReadOnlyList<string> Grid() => Spread(Points);

    public override string Describe() => $"{Ends}, logarithmic{(Whole ? ", whole" : "")}";
}
