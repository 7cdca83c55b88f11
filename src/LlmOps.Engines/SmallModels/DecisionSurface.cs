using LlmOps.Engines.Onnx;
using LlmOps.Engines.Pictures;

namespace LlmOps.Engines.SmallModels;

/// <summary>What a classifier of points in a plane says everywhere around them.</summary>
internal static class DecisionSurface
{
    private const int Side = 400, Cell = 4;

    /// <summary>Areas in the colour of the label that wins, paler where it wins by less, with the points on them.</summary>
    /// <param name="labels">Labels in the order of the outputs.</param>
    /// <param name="model">Gives a score for each label.</param>
    /// <param name="samples">Points of two features.</param>
    public static Picture Draw(IReadOnlyList<string> labels, SmallModelRun model, IReadOnlyList<Sample> samples)
    {
        var (left, width) = Range(samples.Select(s => s.Values[0]));
        var (bottom, height) = Range(samples.Select(s => s.Values[1]));
        const int cells = Side / Cell;
        var places = new float[2 * cells * cells];
        for (var i = 0; i < cells * cells; i++)
            (places[2 * i], places[2 * i + 1]) = (left + (i % cells + 0.5f) / cells * width, bottom + (cells - i / cells - 0.5f) / cells * height);
        var scores = model([NamedTensor.Of(BaselineGraphs.Features, places, cells * cells, 2)])[0].Values<float>();
        var picture = new Raster(Side, Side);
        for (var i = 0; i < cells * cells; i++)
        {
            var own = scores.Slice(i * labels.Count, labels.Count);
            var best = System.Numerics.Tensors.TensorPrimitives.IndexOfMax(own);
            var next = float.NegativeInfinity;
            for (var label = 0; label < own.Length; label++)
                if (label != best)
                    next = Math.Max(next, own[label]);
            picture.Fill(i % cells * Cell, i / cells * Cell, Cell, Cell, Rgb.Between(Rgb.Grey(255), Colour(best), 0.1 + 0.4 * Math.Min(1, (own[best] - next) / 2)));
        }
        foreach (var sample in samples)
        {
            var (x, y) = ((sample.Values[0] - left) / width * Side, Side - (sample.Values[1] - bottom) / height * Side);
            picture.Disc(x, y, 3, Rgb.Grey(255));
            picture.Disc(x, y, 2, Colour(IndexOf(labels, sample.Target)));
        }
        return new($"Decision surface: {string.Join(", ", labels.Take(6).Select((l, i) => $"{l} {Names[i % Names.Length]}"))}", picture.ToPng());
    }

    private static readonly string[] Names = ["blue", "orange", "green", "red", "violet", "grey"];

    private static Rgb Colour(int label) => Rgb.Series[Math.Max(0, label) % Rgb.Series.Count];

    private static int IndexOf(IReadOnlyList<string> labels, string label) => Math.Max(0, labels.ToList().IndexOf(label));

    private static (float Low, float Span) Range(IEnumerable<float> values)
    {
        var (low, high) = values.Aggregate((Low: float.MaxValue, High: float.MinValue), (range, v) => (Math.Min(range.Low, v), Math.Max(range.High, v)));
        var room = 0.15f * Math.Max(high - low, 1e-3f);
        return (low - room, high - low + 2 * room);
    }
}
