using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using LlmOps.Engines.Checkpoints;
using LlmOps.TestKit;

namespace LlmOps.Engines.Tests.Checkpoints;

public sealed class LoraMergeTests : IDisposable
{
    private const string Query = "model.layers.0.self_attn.q_proj", Down = "model.layers.1.mlp.down_proj", Embedding = "model.embed_tokens";
    private readonly TemporaryFolder folder = new();
    private readonly Random random = new(5);

    public LoraMergeTests() => TinyModels.WriteLlama(Base);

    private string Base => folder.At("base");
    private string Adapter => folder.At("adapter");
    private string Merged => folder.At("merged");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Run_AddsTheScaledProduct_AndLeavesEverythingElse()
    {
        float[] a = Values(4 * 64), b = Values(64 * 4), downA = Values(4 * 160), downB = Values(64 * 4);
        LoraAdapterWriter.Write(Adapter, 4, 8, [new(Query, 64, 64, a, b), new(Down, 160, 64, downA, downB)], "base");

        var report = new LoraMerge().Run(Base, Adapter, Merged);

        AssertClose(Expected(Read(Base, Query), 64, 64, 4, a, b, 2), Read(Merged, Query));
        AssertClose(Expected(Read(Base, Down), 64, 160, 4, downA, downB, 2), Read(Merged, Down));
        using SafetensorsFile before = SafetensorsFile.Open(Weights(Base)), after = SafetensorsFile.Open(Weights(Merged));
        Assert.Equal(before.Tensors.Keys, after.Tensors.Keys);
        foreach (var name in before.Tensors.Keys.Where(n => n is not (Query + ".weight") and not (Down + ".weight")))
            Assert.True(before.Bytes(name).SequenceEqual(after.Bytes(name)), name);
        Assert.Equal((2, 0, false), (report.Merged, report.Replaced, report.Untied));
        Assert.Equal(Sha256(Weights(Base)), report.BaseSha256);
        Assert.Equal(report.BaseSha256, after.Metadata["llmops.base_sha256"]);
        Assert.Equal(Sha256(Weights(Merged)), report.MergedSha256);
        Assert.True(File.Exists(Path.Combine(Merged, "tokenizer.json")));
        using var opened = CheckpointFolder.Open(Merged);
    }

    [Fact]
    public void Run_GivesTheBase_WhenBIsZero()
    {
        LoraAdapterWriter.Write(Adapter, 4, 8, [new(Query, 64, 64, Values(4 * 64), new float[64 * 4])]);

        var report = new LoraMerge().Run(Base, Adapter, Merged);

        Assert.Equal(Read(Base, Query), Read(Merged, Query));
        Assert.Equal(0, report.LargestChange);
    }

    // alpha 6, rank 4: 1.5 plain, 3 with rank-stabilised scaling. The patterns give q_proj rank 2 and alpha 5: 2.5 and 5/√2.
    [Theory]
    [InlineData(false, false, 1.5), InlineData(true, false, 3.0), InlineData(false, true, 2.5), InlineData(true, true, 3.5355339059327378)]
    public void ScaleOf_IsAlphaOverRank_OrOverItsRoot_AndPatternsWin(bool rslora, bool patterns, double scale)
    {
        var settings = new LoraSettings
        {
            Rank = 4, Alpha = 6, UseRsLora = rslora,
            RankPattern = patterns ? new Dictionary<string, double> { ["layers.0.*q_proj"] = 2 } : new Dictionary<string, double>(),
            AlphaPattern = patterns ? new Dictionary<string, double> { ["q_proj"] = 5 } : new Dictionary<string, double>(),
        };

        Assert.Equal(scale, settings.ScaleOf(Query), 12);
        Assert.Equal(rslora ? 3 : 1.5, settings.ScaleOf(Down), 12);
    }

    // W = [[3, 4]], s·B·A = 2·[1]·[0, 2] = [0, 4]: the row (3, 8) has length √73; magnitude 10 makes it (30, 80)/√73.
    [Theory, InlineData(false), InlineData(true)]
    public void Apply_BringsRowsToTheTrainedLength_WithDora(bool inputsFirst)
    {
        float[] weights = [3, 4];
        var target = new LoraTarget("m", false, "", "", "m", Rank: 1, Inputs: 2, Outputs: 1, Scale: 2);

        LoraUpdate.Apply(weights, target, [0, 2], [1], [10], inputsFirst);

        Assert.Equal(30 / Math.Sqrt(73), weights[0], 1e-6);
        Assert.Equal(80 / Math.Sqrt(73), weights[1], 1e-6);
    }

    [Fact]
    public void Run_TransposesTheUpdate_WithFanInFanOut()
    {
        float[] a = Values(2 * 160), b = Values(64 * 2);
        // up_proj is [160, 64] in the file: seen as Conv1D, 160 inputs and 64 outputs.
        Write(new() { ["r"] = 2, ["lora_alpha"] = 2, ["fan_in_fan_out"] = true }, ("model.layers.0.mlp.up_proj.lora_A.weight", [2, 160], a), ("model.layers.0.mlp.up_proj.lora_B.weight", [64, 2], b));

        new LoraMerge().Run(Base, Adapter, Merged);

        float[] before = Read(Base, "model.layers.0.mlp.up_proj"), after = Read(Merged, "model.layers.0.mlp.up_proj");
        for (var i = 0; i < 160; i++)
            for (var o = 0; o < 64; o++)
                Assert.Equal(before[i * 64 + o] + a[i] * b[o * 2] + a[160 + i] * b[o * 2 + 1], after[i * 64 + o], 1e-5);
    }

    [Fact]
    public void Run_AdaptsAnEmbedding_AndUntiesTheHeadThatSharedItsTable()
    {
        float[] a = Values(2 * 304), b = Values(64 * 2);
        Write(new() { ["r"] = 2, ["lora_alpha"] = 4 }, ($"{Embedding}.lora_embedding_A", [2, 304], a), ($"{Embedding}.lora_embedding_B", [64, 2], b));

        var report = new LoraMerge().Run(Base, Adapter, Merged);

        float[] before = Read(Base, Embedding), after = Read(Merged, Embedding);
        for (var row = 0; row < 304; row++)
            for (var d = 0; d < 64; d++)
                Assert.Equal(before[row * 64 + d] + 2 * (a[row] * b[d * 2] + a[304 + row] * b[d * 2 + 1]), after[row * 64 + d], 1e-5);
        Assert.True(report.Untied);
        Assert.Equal(before, Read(Merged, "lm_head"));
        Assert.False(ModelConfig.Read(Merged).TieWordEmbeddings);
        using var opened = CheckpointFolder.Open(Merged);
    }

    [Fact]
    public void Run_ReplacesBiasesAndSavedModules_WhateverTheWrapperIsCalled()
    {
        float[] norm = Values(64), head = Values(304 * 64);
        Write(new() { ["modules_to_save"] = new JsonArray("lm_head") },
            ($"{Query}.lora_A.default.weight", [8, 64], Values(8 * 64)), ($"{Query}.lora_B.default.weight", [64, 8], Values(64 * 8)),
            ("lm_head.modules_to_save.default.weight", [304, 64], head), ("model.norm.base_layer.weight", [64], norm));

        var report = new LoraMerge().Run(Base, Adapter, Merged);

        Assert.Equal((1, 2, true), (report.Merged, report.Replaced, report.Untied));
        Assert.Equal(head, Read(Merged, "lm_head"));
        Assert.Equal(norm, Read(Merged, "model.norm"));
        Assert.Equal(Read(Base, Embedding), Read(Merged, Embedding));
    }

    [Theory, InlineData(TensorType.F16), InlineData(TensorType.BF16)]
    public void Run_KeepsTheBasesTypes_RoundingToTheNearest(TensorType type)
    {
        List<TensorSource> tensors;
        using (var file = SafetensorsFile.Open(Weights(Base)))
            tensors = [.. file.Tensors.Keys.Select(name => (name, Values: file.ReadFloat32(name), file.Tensors[name].Shape))
                .Select(t => new TensorSource(t.name, type, t.Shape, s => s.Write(FloatCast.ToBytes(t.Values, type))))];
        SafetensorsWriter.Write(Weights(Base), tensors);
        float[] a = Values(4 * 64), b = Values(64 * 4);
        LoraAdapterWriter.Write(Adapter, 4, 8, [new(Query, 64, 64, a, b)]);

        new LoraMerge().Run(Base, Adapter, Merged);

        using var merged = SafetensorsFile.Open(Weights(Merged));
        Assert.All(merged.Tensors.Values, t => Assert.Equal(type, t.Type));
        var exact = Expected(Read(Base, Query), 64, 64, 4, a, b, 2);
        var ulp = type == TensorType.F16 ? Math.Pow(2, -11) : Math.Pow(2, -8);
        foreach (var (wanted, found) in exact.Zip(merged.ReadFloat32(Query + ".weight")))
            Assert.InRange(Math.Abs(found - wanted), 0, Math.Abs(wanted) * ulp * 1.001 + 1e-6);
    }

    [Fact]
    public void ToBytes_RoundsBFloat16ToEven()
    {
        var bits = MemoryMarshal.Cast<byte, ushort>(FloatCast.ToBytes([1f, 1.00390625f, 1.01171875f, 1.004f, float.NaN], TensorType.BF16)).ToArray();

        // Half-way between 1 and 1 + 2^-7 goes to the even 1; half-way above 1 + 2^-7 goes to 1 + 2^-6.
        Assert.Equal([0x3F80, 0x3F80, 0x3F82, 0x3F81, 0xFFC0], bits.Select(b => (int)b));
    }

    [Fact]
    public void Run_FindsNamesWithoutTheTasksPrefix()
    {
        List<(string, long[], float[])> tensors;
        using (var file = SafetensorsFile.Open(Weights(Base)))
            tensors = [.. file.Tensors.Values.Select(t => (t.Name["model.".Length..], t.Shape, file.ReadFloat32(t.Name)))];
        SafetensorsWriter.WriteFloat32(Weights(Base), tensors);
        LoraAdapterWriter.Write(Adapter, 4, 8, [new(Query, 64, 64, Values(4 * 64), Values(64 * 4))]);

        var report = new LoraMerge().Run(Base, Adapter, Merged);

        Assert.Equal(1, report.Merged);
        Assert.NotEqual(Read(Base, Query["model.".Length..]), Read(Merged, Query["model.".Length..]));
    }

    [Theory]
    [InlineData("peft_type", "\"IA3\"", "IA3"), InlineData("use_qalora", "true", "use_qalora"), InlineData("layer_replication", "[[0, 1]]", "layer_replication")]
    [InlineData("init_lora_weights", "\"pissa_niter_4\"", "pissa_niter_4"), InlineData("bias", "\"some\"", "some"), InlineData("target_parameters", "[\"x\"]", "target_parameters")]
    public void Open_RefusesByName_WhatIsNotComputed(string setting, string value, string named)
    {
        Write(new() { [setting] = JsonNode.Parse(value) }, Pair(8));

        Assert.Contains(named, Assert.Throws<UnsupportedModelException>(() => new LoraMerge().Run(Base, Adapter, Merged)).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Merged));
    }

    [Theory, InlineData("shape"), InlineData("rank"), InlineData("partner"), InlineData("unknown"), InlineData("nan"), InlineData("prefix"), InlineData("magnitude"), InlineData("pattern"), InlineData("empty")]
    public void Run_NamesTheTensor_WhenAdapterAndBaseDoNotFit(string fault)
    {
        var pair = Pair(8);
        var (settings, tensors, named) = fault switch
        {
            "shape" => (new JsonObject(), [($"{Query}.lora_A.weight", [8L, 63], Values(8 * 63)), pair[1]], $"'{Query}.weight' has shape [64, 64]"),
            "rank" => (new JsonObject { ["r"] = 4 }, pair, "asks for rank 4"),
            "partner" => (new JsonObject(), [pair[0]], "no lora_B"),
            "unknown" => (new JsonObject(), [.. Pair(8, "model.layers.7.self_attn.q_proj")], "no tensor 'model.layers.7.self_attn.q_proj.weight'"),
            "nan" => (new JsonObject(), [pair[0], (pair[1].Item1, pair[1].Item2, [float.NaN, .. pair[1].Item3[1..]])], $"'base_model.model.{Query}.lora_B.weight' holds NaN"),
            "prefix" => (new JsonObject(), [("!x.lora_A.weight", [8L, 64], Values(8 * 64))], "'x.lora_A.weight'"),
            "magnitude" => (new JsonObject { ["use_dora"] = true }, pair, "no lora_magnitude_vector"),
            "pattern" => (new JsonObject { ["rank_pattern"] = new JsonObject { ["("] = 8 } }, pair, "pattern '('"),
            _ => (new JsonObject(), Array.Empty<(string, long[], float[])>(), "holds no tensor"),
        };
        Write(settings, tensors);

        Assert.Contains(named, Assert.Throws<InvalidModelException>(() => new LoraMerge().Run(Base, Adapter, Merged)).Message, StringComparison.Ordinal);
        Assert.Equal(["adapter", "base"], Directory.GetDirectories(folder.Root).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void Open_GivesNamedErrors_WhateverIsWrongWithTheConfiguration()
    {
        Write(new() { ["use_rslora"] = true, ["rank_pattern"] = new JsonObject { ["q_proj"] = 8 }, ["alpha_pattern"] = new JsonObject(), ["bias"] = "none", ["target_modules"] = new JsonArray("q_proj") }, Pair(8));
        var path = Path.Combine(Adapter, "adapter_config.json");
        var whole = File.ReadAllText(path);
        string[] values = ["-1", "0", "2147483647", "1e300", "null", "\"x\"", "[]", "{}", "true", "{\"(a\": 1}", "99999999999999999999"];
        var refused = 0;
        for (var i = 0; i < 200; i++)
        {
            var at = whole.IndexOf(':', random.Next(whole.Length - 1));
            var end = at < 0 ? -1 : whole.IndexOfAny([',', '}'], at);
            File.WriteAllText(path, i % 3 == 0 || end < 0 ? whole[..random.Next(whole.Length)] : $"{whole[..(at + 1)]}{values[random.Next(values.Length)]}{whole[end..]}");
            try
            {
                LoraAdapterFile.Open(Adapter).Dispose();
            }
            catch (Exception e) when (e is InvalidModelException or UnsupportedModelException)
            {
                refused++;
            }
        }
        Assert.InRange(refused, 80, 200);
    }

    [Fact]
    public void Run_MergesShardsToTheSameWeights()
    {
        LoraAdapterWriter.Write(Adapter, 4, 8, [new(Query, 64, 64, Values(4 * 64), Values(64 * 4)), new(Down, 160, 64, Values(4 * 160), Values(64 * 4))]);
        new LoraMerge().Run(Base, Adapter, Merged);
        var map = new JsonObject();
        using (var file = SafetensorsFile.Open(Weights(Base)))
            foreach (var shard in file.Tensors.Values.Index().GroupBy(t => $"part-{t.Index % 3}.safetensors"))
            {
                SafetensorsWriter.WriteFloat32(Path.Combine(Base, shard.Key), [.. shard.Select(t => (t.Item.Name, t.Item.Shape, file.ReadFloat32(t.Item.Name)))]);
                foreach (var tensor in shard)
                    map[tensor.Item.Name] = shard.Key;
            }
        File.Delete(Weights(Base));
        File.WriteAllText(Path.Combine(Base, "model.safetensors.index.json"), new JsonObject { ["weight_map"] = map }.ToJsonString());

        var report = new LoraMerge().Run(Base, Adapter, folder.At("sharded"));

        Assert.Equal(2, report.Merged);
        Assert.Equal(Sha256([.. Directory.GetFiles(Base, "part-*").Order(StringComparer.Ordinal)]), report.BaseSha256);
        Assert.False(File.Exists(Path.Combine(folder.At("sharded"), "model.safetensors.index.json")));
        foreach (var module in new[] { Query, Down, Embedding })
            Assert.Equal(Read(Merged, module), Read(folder.At("sharded"), module));
    }

    [Fact]
    public void Run_MergesIntoAnEncoder_WhosePrefixTheAdapterDoesNotHave()
    {
        Onnx.TinyEncoder.Write(folder.At("bert"), "bert");
        float[] a = Values(8 * 32), b = Values(32 * 8);
        Write([], ("encoder.layer.1.attention.self.query.lora_A.weight", [8, 32], a), ("encoder.layer.1.attention.self.query.lora_B.weight", [32, 8], b));

        var report = new LoraMerge().Run(folder.At("bert"), Adapter, Merged);

        const string query = "bert.encoder.layer.1.attention.self.query";
        AssertClose(Expected(Read(folder.At("bert"), query), 32, 32, 8, a, b, 1), Read(Merged, query));
        Assert.Equal((1, false), (report.Merged, report.Untied));
        new LlmOps.Engines.Onnx.EncoderExport().Run(Merged, folder.At("onnx"));
    }

    [Fact]
    public void Run_RefusesAQuantizedBase()
    {
        Write([], Pair(8));
        var path = Path.Combine(Base, "config.json");
        var config = JsonNode.Parse(File.ReadAllText(path))!;
        config["quantization_config"] = new JsonObject { ["quant_method"] = "gptq" };
        File.WriteAllText(path, config.ToJsonString());

        Assert.Contains("quantization_config", Assert.Throws<UnsupportedModelException>(() => new LoraMerge().Run(Base, Adapter, Merged)).Message, StringComparison.Ordinal);
    }

    private (string, long[], float[])[] Pair(int rank, string module = Query) =>
        [($"{module}.lora_A.weight", [rank, 64], Values(rank * 64)), ($"{module}.lora_B.weight", [64, rank], Values(64 * rank))];

    private void Write(JsonObject settings, params (string Name, long[] Shape, float[] Data)[] tensors)
    {
        Directory.CreateDirectory(Adapter);
        var config = new JsonObject { ["peft_type"] = "LORA", ["r"] = 8, ["lora_alpha"] = 8 };
        foreach (var (name, value) in settings)
            config[name] = value?.DeepClone();
        File.WriteAllText(Path.Combine(Adapter, "adapter_config.json"), config.ToJsonString());
        SafetensorsWriter.WriteFloat32(Path.Combine(Adapter, "adapter_model.safetensors"),
            tensors.Select(t => (t.Name[0] == '!' ? t.Name[1..] : $"base_model.model.{t.Name}", t.Shape, t.Data)));
    }

    private float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];

    private static double[] Expected(float[] weights, int rows, int columns, int rank, float[] a, float[] b, double scale)
    {
        var result = Array.ConvertAll(weights, w => (double)w);
        for (var o = 0; o < rows; o++)
            for (var i = 0; i < columns; i++)
                for (var k = 0; k < rank; k++)
                    result[o * columns + i] += scale * b[o * rank + k] * a[k * columns + i];
        return result;
    }

    private static void AssertClose(double[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.InRange(expected.Zip(actual, (e, a) => Math.Abs(e - a)).Max(), 0, 1e-5);
    }

    private static string Weights(string folder) => Path.Combine(folder, "model.safetensors");

    private static float[] Read(string folder, string module)
    {
        using var file = SafetensorsFile.Open(Weights(folder));
        return file.ReadFloat32(module + ".weight");
    }

    private static string Sha256(params string[] paths) => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData([.. paths.SelectMany(File.ReadAllBytes)]));
}
