using System.Text.Json;
using LlmOps.Engines.Pictures;
using LlmOps.Engines.SmallModels;

namespace LlmOps.Engines.Tests.SmallModels;

public sealed class SmallModelTests
{
    private static Sample Parse(string json) => Sample.Parse(JsonDocument.Parse(json).RootElement);

    [Fact]
    public void ConfigJson_IsReadAgainAsItWasWritten_AndALanguageModelsIsNone()
    {
        using var folder = new TemporaryFolder();
        var config = new CnnClassifierConfig(16, 12, 4, 8, 32, ["zero", "one"]);

        config.Write(folder.Root);
        var read = Assert.IsType<CnnClassifierConfig>(SmallModelConfig.TryRead(folder.Root));

        Assert.Equal((16, 12, 4, 8, 32), (read.Height, read.Width, read.FirstFilters, read.SecondFilters, read.HiddenSize));
        Assert.Equal(["zero", "one"], read.Labels);
        // 4·9+4 + 8·4·9+8 + 32·(8·4·3)+32 + 2·32+2
        Assert.Equal(40 + 296 + 3104 + 66, read.ParameterCount);
        File.WriteAllText(folder.At("config.json"), """{"architectures":["LlamaForCausalLM"],"model_type":"llama"}""");
        Assert.Null(SmallModelConfig.TryRead(folder.Root));
        File.WriteAllText(folder.At("config.json"), """{"height":15,"width":16,"first_filters":1,"second_filters":1,"hidden_size":1,"labels":["a","b"],"model_type":"cnn-classifier"}""");
        Assert.Contains("multiples of 4", Assert.Throws<InvalidModelException>(() => SmallModelConfig.TryRead(folder.Root)).Message);
    }

    [Fact]
    public void RowsOfADataset_BecomePicturesAndFeatures_AndABrokenOneSaysWhy()
    {
        var raw = Parse($$"""{"pixels":"{{Convert.ToBase64String([0, 51, 102, 255])}}","label":"x"}""");
        Assert.Equal((2, 2, "x"), (raw.Width, raw.Height, raw.Target));
        Assert.Equal([0, 0.2f, 0.4f, 1], raw.Values);
        var png = Parse($$"""{"pixels":"{{Convert.ToBase64String(PngWriter.Gray([0, 51, 102, 255, 0, 255], 3, 2))}}","label":7}""");
        Assert.Equal((3, 2, "7"), (png.Width, png.Height, png.Target));
        Assert.Equal([0, 0.2f, 0.4f, 1, 0, 1], png.Values);
        var row = Parse("""{"features":[1.5,-2],"target":-0.25}""");
        Assert.Equal([1.5f, -2], row.Values);
        Assert.Equal((-0.25, false), (row.Number, row.IsImage));

        string Reason(string json) => Assert.Throws<ArgumentException>(() => Parse(json)).Message;
        Assert.Contains("base64", Reason("""{"pixels":"!"}"""));
        Assert.Contains("neither a PNG file nor a square", Reason($$"""{"pixels":"{{Convert.ToBase64String(new byte[3])}}"}"""));
        Assert.Contains("list of 1 to", Reason("""{"features":[]}"""));
        Assert.Contains("list of 1 to", Reason("""{"features":[1,"2"]}"""));
        Assert.Contains("'pixels' or 'features'", Reason("""{"text":"a"}"""));
    }

    [Fact]
    public void APngFile_WithEveryRowFilter_IsReadAsWasDrawn_AndADamagedOneIsRefused()
    {
        // Red, green, blue, white, black and grey become their luma.
        var rgb = PngWriter.Rgb([255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 100, 100, 100], 3, 2);
        Assert.Equal([76, 150, 29, 255, 0, 100], PngReader.Read(rgb).Pixels);

        rgb[60] ^= 1;
        Assert.Contains("checksum", Assert.Throws<ArgumentException>(() => PngReader.Read(rgb)).Message);
        Assert.Contains("cut off", Assert.Throws<ArgumentException>(() => PngReader.Read(PngWriter.Gray([1], 1, 1).AsSpan(0, 40))).Message);
        Assert.Contains("no PNG", Assert.Throws<ArgumentException>(() => PngReader.Read([1, 2, 3])).Message);
    }

    [Fact]
    public void Scores_CountRightAndWrongLabels_AndTheConfusionPictureShowsThem()
    {
        List<Sample> samples = [.. new[] { "a", "a", "b", "b" }.Select(l => new Sample([0, 1, 1, 0], 2, 2, l))];
        float[][] logits = [[2, 0], [0, 1], [0, 3], [-1, 0]];

        var scores = ClassifierEvaluation.Score(["a", "b"], samples, logits);

        Assert.Equal([1.0, 0, 1, 1], scores.Rows.Where(r => r.Metric == SmallModelMetrics.Accuracy).Select(r => r.Value));
        // e²/(e²+1) = 0.881 and e/(e+1) = 0.731
        Assert.Equal(["a (0.881)", "b (0.731)", "b (0.953)", "b (0.731)"], scores.Rows.Where(r => r.Metric == SmallModelMetrics.Accuracy).Select(r => r.Answer!));
        var sums = scores.Rows.Where(r => r.Statistics is not null).Aggregate(new double[6], (sum, r) => [.. sum.Zip(r.Statistics!, (a, b) => a + b)]);
        Assert.Equal([1, 1, 2, 2, 3, 2], sums);
        Assert.Equal(2, scores.Pictures.Count);
        var confusion = PngReader.Read(scores.Pictures[0].Png);
        Assert.Equal((8 + 12 + 2 * 44 + 4, 24 + 2 * 22 + 4), (confusion.Width, confusion.Height));
        Assert.Contains("knows: a, b", Assert.Throws<ArgumentException>(() => ClassifierEvaluation.Score(["a", "b"], [samples[0] with { Target = "c" }], logits)).Message);
    }

    [Fact]
    public void MadeRows_AreTheSameForASeed_AndMoonsAreNotSeparableByAStraightLineButPlanesAre()
    {
        static List<Sample> Rows(string text) => [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Parse)];
        Assert.Equal(new TableRows(Seed: 3).TwoMoons(20), new TableRows(Seed: 3).TwoMoons(20));
        Assert.NotEqual(new TableRows(Seed: 3).TwoMoons(20), new TableRows(Seed: 4).TwoMoons(20));
        var moons = Rows(new TableRows(Noise: 0).TwoMoons(200));
        // Without noise the upper points lie on the circle around (0, 0), the lower ones on that around (1, 0.5).
        Assert.All(moons, m => Assert.Equal(1, m.Target == "upper" ? Math.Pow(m.Values[0], 2) + Math.Pow(m.Values[1], 2) : Math.Pow(m.Values[0] - 1, 2) + Math.Pow(m.Values[1] - 0.5, 2), 1e-4));
        var plane = Rows(new TableRows(Noise: 0).Plane(50));
        Assert.All(plane, r => Assert.Equal(3 + 2 * r.Values[0] - 1.5 * r.Values[1] + 0.5 * r.Values[2], r.Number, 1e-4));
    }
}
