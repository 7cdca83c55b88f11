using System.Diagnostics;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Onnx;
using LlmOps.Engines.Quantization;
using LlmOps.SideBySide;

switch (args)
{
    case ["make", var folder]:
        Models.Make(folder);
        return 0;
    case ["worker", .. var spec]:
        Worker.Run(spec);
        return 0;
    case ["export-child", var hf, var target]:
        ExportSpeed.Child(hf, target);
        return 0;
    case ["export", var rounds, var folder]:
        ExportSpeed.Print(int.Parse(rounds), folder);
        return 0;
    case ["growth", var rounds, var folder, var picture]:
        Growth.Print(int.Parse(rounds), folder, picture);
        return 0;
    case ["load", .. var spec]:
        StartUp.Child(spec);
        return 0;
    case ["start", var rounds, .. var specs]:
        StartUp.Print(int.Parse(rounds), specs);
        return 0;
    case ["same", .. var specs]:
        Same.Print(specs);
        return 0;
    case ["pair", var rounds, .. var specs]:
        Comparison.Print(int.Parse(rounds), specs);
        return 0;
    case ["serve-worker", .. var spec]:
        Serving.Work(spec);
        return 0;
    case ["serve", var rounds, var seconds, var picture, .. var specs]:
        Serving.Print(int.Parse(rounds), double.Parse(seconds), picture == "-" ? null : picture, specs);
        return 0;
    case ["make-serving", var folder]:
        Models.MakeServing(folder);
        return 0;
    default:
        Console.Error.WriteLine("make FOLDER | pair ROUNDS NAME=SPEC NAME=SPEC ... | same SPEC SPEC | worker SPEC");
        return 2;
}

internal static class Models
{
    /// <summary>What <c>serve</c> needs: one checkpoint in 8 bits, as the peer has it, as blocks and with dynamic scales.</summary>
    public static void MakeServing(string folder)
    {
        string At(string name) => Path.Combine(folder, name);
        RandomLlama.Write(At("hf"), RandomLlama.Config());
        Gguf.Write(At("hf"), At("q8_0.gguf"), GgufType.Q8_0);
        new DecoderExport().Run(At("hf"), At("fp32"));
        new DynamicInt8().Run(At("fp32"), At("dyn8"));
        new BlockwiseRtn(8, 64, true, 4, 8).Run(At("fp32"), At("q8b64"));
        new Int8Prefill().Run(At("q8b64"), At("q8"));
    }

    public static void Make(string folder)
    {
        var hf = Path.Combine(folder, "hf");
        if (!File.Exists(Path.Combine(hf, "model.safetensors")))
            RandomLlama.Write(hf, RandomLlama.Config());
        foreach (var (type, name) in new[] { (GgufType.F16, "f16"), (GgufType.Q8_0, "q8_0"), (GgufType.Q4_0, "q4_0") })
        {
            var path = Path.Combine(folder, name + ".gguf");
            if (!File.Exists(path))
                Gguf.Write(hf, path, type);
        }
        var tiny = Path.Combine(folder, "tiny");
        if (!Directory.Exists(tiny))
        {
            RandomLlama.Write(tiny + "-hf", RandomLlama.Tiny);
            new DecoderExport().Run(tiny + "-hf", tiny);
        }
        var fp32 = Path.Combine(folder, "fp32");
        if (!Directory.Exists(fp32))
            new DecoderExport().Run(hf, fp32);
        Quantize(new DynamicInt8(), "dyn8");
        Quantize(new BlockwiseRtn(4, 32, true, 4, 4), "q4b32");
        Quantize(new BlockwiseRtn(4, 64, true, 4, 4), "q4b64");
        Quantize(new BlockwiseRtn(8, 64, true, 4, 8), "q8b64");
        Quantize(new Int8Prefill(), "q4", "q4b64");
        Quantize(new Int8Prefill(), "q8", "q8b64");

        foreach (var (name, level, stored) in new[] { ("fp32", "Extended", false), ("fp32", "Extended", true), ("q4b64", "Extended", true), ("dyn8", "Extended", false), ("dyn8", "Extended", true) })
        {
            var target = Path.Combine(folder, name + "-" + level + (stored ? "-packed" : ""));
            if (!Directory.Exists(target))
                new LlmOps.Engines.Optimization.GraphOptimization(level) { StorePrepacked = stored }.Run(Path.Combine(folder, name), target);
        }

        void Quantize(QuantizationPass pass, string name, string source = "fp32")
        {
            var target = Path.Combine(folder, name);
            if (Directory.Exists(target))
                return;
            var clock = Stopwatch.StartNew();
            var report = pass.Run(Path.Combine(folder, source), target);
            Console.WriteLine($"{name}: {report.TargetBytes >> 20} MiB, relative L2 {report.RelativeL2:g3}, {clock.Elapsed.TotalSeconds:f1} s{string.Concat(report.Notes.Select(n => "\n  " + n))}");
        }
    }
}
