using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Quantization;
using LlmOps.TestKit;

namespace LlmOps.Engines.Tests.Onnx;

public sealed class LoraSlotsTests(ExportedModels models)
{
    private static readonly int[] Prompt = [1, 70, 90, 110, 42, 7, 13, 99, 120, 31];
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public void Run_ChangesNothing_WithoutAdapter_AndWithB0()
    {
        var slots = Prepared(models.TiedOnnx, out var report);
        var adapter = AdapterFor(models.Tied, slots, seed: 1, b: 0);

        Assert.Equal(10, report.Slots); // five products in each of two layers
        Assert.InRange(report.RelativeL2, 0, 1e-7);
        Assert.InRange(Distance(Logits(models.TiedOnnx), Logits(slots)), 0, 1e-6);
        Assert.InRange(Distance(Logits(models.TiedOnnx), Logits(slots, adapter.File)), 0, 1e-6);
    }

    [Theory]
    [InlineData("llama", GraphForm.Contrib), InlineData("llama", GraphForm.Portable), InlineData("qwen2", GraphForm.Contrib), InlineData("phi3", GraphForm.Contrib), InlineData("gpt2", GraphForm.Contrib)]
    public void Adapter_GivesTheMergedModelsLogits(string family, GraphForm form)
    {
        string source = models.New(), onnx = models.New(), merged = models.New(), mergedOnnx = models.New();
        TinyFamilies.Write(source, TinyFamilies.All.Keys.First(k => k.StartsWith(family, StringComparison.Ordinal)));
        new DecoderExport(form).Run(source, onnx, ct: Ct);
        var slots = Prepared(onnx, out _);
        var adapter = AdapterFor(source, slots, seed: 2);
        new LoraMerge().Run(source, adapter.Folder, merged, ct: Ct);
        new DecoderExport(form).Run(merged, mergedOnnx, ct: Ct);

        float[] plain = Logits(slots), adapted = Logits(slots, adapter.File), reference = Logits(mergedOnnx);

        Assert.InRange(Distance(adapted, reference), 0, 1e-5);
        Assert.True(Distance(plain, reference) > 1e-2, "the adapter does nothing");
    }

    [Theory, InlineData(true), InlineData(false)]
    public void Adapter_WorksOnAQuantizedBase_AsItDoesWhenTheGraphIsQuantizedAfterwards(bool fourBits)
    {
        QuantizationPass pass = fourBits ? new BlockwiseRtn(AccuracyLevel: 1) : new DynamicInt8();
        string quantized = models.New(), late = models.New();
        pass.Run(models.TiedOnnx, quantized, ct: Ct);
        var slots = Prepared(quantized, out var report);
        var adapter = AdapterFor(models.Tied, slots, seed: 3);
        pass.Run(Prepared(models.TiedOnnx, out _), late, ct: Ct);

        float[] first = Logits(slots, adapter.File), second = Logits(late, adapter.File);

        Assert.Equal(10, report.Slots);
        Assert.InRange(Distance(first, second), 0, 1e-4);
        Assert.True(Distance(Logits(slots), first) > 1e-2, "the adapter does nothing");
    }

    [Fact]
    public void Adapter_TakesTheTypeOfAHalfPrecisionBase()
    {
        string half = models.New(), merged = models.New(), mergedOnnx = models.New();
        new HalfPrecision().Run(models.TiedOnnx, half, ct: Ct);
        var slots = Prepared(half, out _);
        var adapter = AdapterFor(models.Tied, slots, seed: 8);
        new LoraMerge().Run(models.Tied, adapter.Folder, merged, ct: Ct);
        new DecoderExport().Run(merged, mergedOnnx, ct: Ct);

        Assert.All(OnnxAdapterFile.Read(adapter.File), t => Assert.Equal(ElementTypes.Float16, t.Type));
        Assert.InRange(Distance(Logits(slots, adapter.File), Logits(mergedOnnx)), 0, 0.05);
        Assert.True(Distance(Logits(slots), Logits(mergedOnnx)) > 0.1, "the adapter does nothing");
    }

    [Fact]
    public void UseAdapter_SwitchesBetweenCalls_AndForgetsWhatTheOtherModelComputed()
    {
        var slots = Prepared(models.TiedOnnx, out _);
        var (one, two) = (AdapterFor(models.Tied, slots, seed: 4), AdapterFor(models.Tied, slots, seed: 5, modules: ["q_proj", "down_proj"]));
        int[] baseTokens = Greedy(models.TiedOnnx), oneTokens = Greedy(MergedOnnx(one.Folder)), twoTokens = Greedy(MergedOnnx(two.Folder));
        using var generator = TextGenerator.Load(slots);

        int[] Made(string? file)
        {
            generator.UseAdapter(file);
            return Greedy(generator);
        }

        Assert.Equal(baseTokens, Greedy(generator));
        Assert.Equal(oneTokens, Made(one.File));
        Assert.Equal(twoTokens, Made(two.File)); // fewer modules: the others' inputs are empty again
        Assert.Equal(oneTokens, Made(one.File));
        Assert.Equal(baseTokens, Made(null));
        Assert.NotEqual(baseTokens, oneTokens);
        Assert.NotEqual(oneTokens, twoTokens);
    }

    [Fact]
    public void UseAdapter_NamesWhatDoesNotFit_AndKeepsTheAdapterBefore()
    {
        var slots = Prepared(models.TiedOnnx, out _);
        var good = AdapterFor(models.Tied, slots, seed: 4);
        using var generator = TextGenerator.Load(slots);
        generator.UseAdapter(good.File);
        var before = Greedy(generator);
        string other = models.New(), otherOnnx = models.New();
        TinyFamilies.Write(other, "gpt2");
        new DecoderExport().Run(other, otherOnnx, ct: Ct);

        var foreign = AdapterFor(other, Prepared(otherOnnx, out _), seed: 1);
        var error = Assert.Throws<InvalidModelException>(() => generator.UseAdapter(foreign.File));
        using var unprepared = TextGenerator.Load(models.TiedOnnx);

        Assert.Contains("model.layers.", error.Message, StringComparison.Ordinal);
        Assert.Contains("LoraSlots", Assert.Throws<UnsupportedModelException>(() => unprepared.UseAdapter(good.File)).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidModelException>(() => OnnxCausalModel.Load(slots, adapterFile: foreign.File));
        Assert.Equal(before, Greedy(generator));
    }

    [Fact]
    public void Run_TakesThePackedProductOfANamedModule_AndRefusesUnknownOnes()
    {
        var target = models.New();
        var report = new LoraSlots { Modules = ["v_proj"] }.Run(models.TiedOnnx, target, Ct);

        using var model = OnnxModel.Load(target);
        Assert.Equal(2, report.Slots);
        Assert.Equal(["model.layers.0.attn.qkv_proj.lora_A.weight", "model.layers.0.attn.qkv_proj.lora_B.weight"], model.Proto.Graph.Input.Select(i => i.Name).Where(n => n.StartsWith("model.layers.0.", StringComparison.Ordinal)));
        Assert.Contains("possible: q_proj", Assert.Throws<ArgumentException>(() => new LoraSlots { Modules = ["lm_head"] }.Run(models.TiedOnnx, models.New(), Ct)).Message, StringComparison.Ordinal);
        Assert.Contains("already", Assert.Throws<InvalidModelException>(() => new LoraSlots().Run(target, models.New(), Ct)).Message, StringComparison.Ordinal);
        var adapter = WriteAdapter(models.Tied, seed: 1, 0.1f, ["o_proj"]);
        Assert.Contains("model.layers.0.self_attn.o_proj", Assert.Throws<InvalidModelException>(() => new OnnxAdapterExport().Run(adapter, target, adapter + ".x")).Message, StringComparison.Ordinal);
    }

    [Theory, InlineData("use_dora", "use_dora"), InlineData("embedding", "model.embed_tokens"), InlineData("replacement", "model.norm.weight"), InlineData("shape", "160 outputs")]
    public void AdapterExport_RefusesWhatIsNoSum_ByName(string kind, string named)
    {
        var slots = Prepared(models.TiedOnnx, out _);
        var folder = WriteAdapter(models.Tied, seed: 1, 0.1f, ["q_proj"]);
        var file = Path.Combine(folder, "adapter_model.safetensors");
        List<(string, long[], float[])> tensors;
        using (var adapter = SafetensorsFile.Open(file))
            tensors = [.. adapter.Tensors.Values.Select(t => (t.Name, t.Shape, adapter.ReadFloat32(t.Name)))];
        const string q = "base_model.model.model.layers.0.self_attn.q_proj", r = "base_model.model.model.layers.1.self_attn.q_proj";
        if (kind == "use_dora")
            tensors.AddRange([($"{q}.lora_magnitude_vector", [64], new float[64]), ($"{r}.lora_magnitude_vector", [64], new float[64])]);
        else if (kind == "embedding")
            tensors.AddRange([("base_model.model.model.embed_tokens.lora_embedding_A", [4, 304], new float[4 * 304]), ("base_model.model.model.embed_tokens.lora_embedding_B", [64, 4], new float[64 * 4])]);
        else if (kind == "replacement")
            tensors.Add(("base_model.model.model.norm.weight", [64], new float[64]));
        else
            tensors = [.. tensors.Where(t => t.Item1 != $"{q}.lora_B.weight"), ($"{q}.lora_B.weight", [160, 4], new float[160 * 4])];
        SafetensorsWriter.WriteFloat32(file, tensors);
        Change(folder, "use_dora", kind == "use_dora");

        var error = Assert.ThrowsAny<Exception>(() => new OnnxAdapterExport().Run(folder, slots, folder + ".onnx_adapter"));

        Assert.True(error is UnsupportedModelException or InvalidModelException, error.ToString());
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(folder + ".onnx_adapter"));
    }

    [Fact]
    public void Read_GivesBackWhatWasWritten_AndRefusesDamagedFiles()
    {
        var slots = Prepared(models.TiedOnnx, out _);
        var adapter = AdapterFor(models.Tied, slots, seed: 6, modules: ["o_proj"]);
        var read = OnnxAdapterFile.Read(adapter.File);
        using (var file = LoraAdapterFile.Open(adapter.Folder))
        {
            var target = file.Targets.Single(t => t.Module == "model.layers.1.self_attn.o_proj");
            float[] a = file.ReadFloat32(target.A), stored = [.. System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(read.Single(t => t.Name == "model.layers.1.attn.o_proj.lora_A.weight").Bytes)];
            Assert.Equal(4, read.Count);
            Assert.Equal(a[64 + 5], stored[5 * 4 + 1]);
        }

        var whole = File.ReadAllBytes(adapter.File);
        var random = new Random(1);
        var refused = 0;
        for (var i = 0; i < 400; i++)
        {
            var bytes = i % 2 == 0 ? whole[..random.Next(whole.Length)] : [.. whole];
            if (i % 2 == 1)
                for (var flips = 0; flips < 3; flips++)
                    bytes[random.Next(Math.Min(bytes.Length, 400))] = (byte)random.Next(256);
            File.WriteAllBytes(adapter.File, bytes);
            try
            {
                OnnxAdapterFile.Read(adapter.File);
            }
            catch (Exception e) when (e is InvalidModelException or UnsupportedModelException)
            {
                refused++;
            }
        }
        Assert.InRange(refused, 200, 400);
    }

    // Once for each source: tests only read the result, and every run starts a process to prove it.
    private string Prepared(string onnx, out LoraSlotsReport report)
    {
        var done = Done.GetOrAdd(onnx, _ => new(() =>
        {
            var target = models.New();
            return (target, new LoraSlots().Run(onnx, target, Ct));
        })).Value;
        report = done.Report;
        return done.Folder;
    }

    private static readonly ConcurrentDictionary<string, Lazy<(string Folder, LoraSlotsReport Report)>> Done = new();

    private (string Folder, string File) AdapterFor(string source, string onnx, int seed, float b = 0.1f, string[]? modules = null)
    {
        var folder = WriteAdapter(source, seed, b, modules);
        var file = folder + ".onnx_adapter";
        new OnnxAdapterExport().Run(folder, onnx, file);
        return (folder, file);
    }

    // Every linear layer of the checkpoint's own names, or those named; rank 4, scale 2.
    private string WriteAdapter(string source, int seed, float b, string[]? modules = null)
    {
        var random = new Random(seed);
        var config = ModelConfig.Read(source);
        var layers = LoraSlot.Of(config).SelectMany(s => s.Parts).DistinctBy(p => p.Name).Where(p => modules is null || modules.Contains(LoraSlot.Module(p).Split('.')[^1]))
            .Select(p => new LoraLayer(LoraSlot.Module(p), p.Inputs, p.TotalOutputs, Values(4 * p.Inputs, 0.2f), Values(4 * p.TotalOutputs, b))).ToList();
        var folder = models.New();
        LoraAdapterWriter.Write(folder, 4, 8, layers);
        if (config.Family.Layout == TensorLayout.Gpt2)
            Change(folder, "fan_in_fan_out", true);
        return folder;

        float[] Values(int count, float size) => [.. Enumerable.Range(0, count).Select(_ => size * (2 * random.NextSingle() - 1))];
    }

    private static void Change(string folder, string setting, bool value)
    {
        var path = Path.Combine(folder, "adapter_config.json");
        var json = JsonNode.Parse(File.ReadAllText(path))!;
        json[setting] = value;
        File.WriteAllText(path, json.ToJsonString());
    }

    private string MergedOnnx(string adapter)
    {
        string merged = models.New(), onnx = models.New();
        new LoraMerge().Run(models.Tied, adapter, merged, ct: Ct);
        new DecoderExport().Run(merged, onnx, ct: Ct);
        return onnx;
    }

    private static int[] Greedy(string folder)
    {
        using var generator = TextGenerator.Load(folder);
        return Greedy(generator);
    }

    private static int[] Greedy(TextGenerator generator) => [.. generator.Generate(Prompt, new(16, MinNewTokens: 16), Ct).Select(t => t.Id)];

    private static float[] Logits(string folder, string? adapter = null)
    {
        using var model = OnnxCausalModel.Load(folder, adapterFile: adapter);
        return model.Logits([Prompt])[0];
    }

    private static double Distance(float[] a, float[] b) => a.Zip(b, (x, y) => Math.Abs(x - y)).Max();
}
