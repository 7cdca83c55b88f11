using System.Diagnostics;
using System.Globalization;

namespace LlmOps.SideBySide;

/// <summary>A process that holds one engine and measures it each time it is asked, so that two engines never share a process or run at once.</summary>
internal static class Worker
{
    public const int Prompt = 512, Answer = 128;

    // SPEC: llama PATH.gguf [key=value ...] | onnx FOLDER [key=value ...]
    public static IEngine Open(string[] spec)
    {
        var settings = spec[2..].Select(s => s.Split('=', 2)).ToDictionary(s => s[0], s => s.Length > 1 ? s[1] : "");
        return spec[0] switch
        {
            "llama" => new LlamaCpp(Environment.GetEnvironmentVariable("LLAMA_CPP") ?? throw new InvalidOperationException("Set LLAMA_CPP to the folder with libllama."),
                spec[1], int.Parse(settings.GetValueOrDefault("threads", "2"), CultureInfo.InvariantCulture), int.Parse(settings.GetValueOrDefault("fa", "-1"), CultureInfo.InvariantCulture)),
            "ours" => new Ours(spec[1], settings),
            "onnx" => new OnnxDecoder(spec[1], settings),
            _ => throw new ArgumentException($"'{spec[0]}' is no engine; use llama or onnx."),
        };
    }

    public static int[] Tokens(int count)
    {
        var random = new Random(1);
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(RandomLlama.Config().VocabSize))];
    }

    public static void Run(string[] spec)
    {
        var clock = Stopwatch.StartNew();
        using var engine = Open(spec);
        var loaded = clock.ElapsedMilliseconds;
        {
            var tokens = Tokens(Prompt + Answer);
            Measure(engine, tokens, 8);
            Console.WriteLine($"ready, loaded in {loaded} ms: {engine.Description}");
            while (Console.ReadLine() is not null)
            {
                var (prefill, decode) = Measure(engine, tokens, Answer);
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Prompt / prefill} {Answer / decode}"));
            }
        }
    }

    public static (double Prefill, double Decode) Measure(IEngine engine, int[] tokens, int answer)
    {
        engine.Reset();
        var clock = Stopwatch.StartNew();
        engine.Append(tokens.AsSpan(0, Prompt));
        var prefill = clock.Elapsed.TotalSeconds;
        clock.Restart();
        for (var i = 0; i < answer; i++)
            engine.Append(tokens.AsSpan(Prompt + i, 1));
        return (prefill, clock.Elapsed.TotalSeconds);
    }
}

/// <summary>Checks that two engines compute the same model.</summary>
internal static class Same
{
    public static void Print(string[] specs)
    {
        var tokens = Worker.Tokens(64);
        var all = specs.Select(spec =>
        {
            using var engine = Worker.Open(spec.Split(' '));
            engine.Append(tokens.AsSpan(0, 32));
            var rows = new List<float[]>();
            for (var i = 32; i < tokens.Length; i++)
                rows.Add(engine.Append(tokens.AsSpan(i, 1)).ToArray());
            return rows;
        }).ToList();
        for (var s = 1; s < all.Count; s++)
        {
            int agree = 0;
            double difference = 0, norm = 0;
            for (var r = 0; r < all[0].Count; r++)
            {
                agree += Array.IndexOf(all[0][r], all[0][r].Max()) == Array.IndexOf(all[s][r], all[s][r].Max()) ? 1 : 0;
                difference += all[0][r].Zip(all[s][r], (a, b) => Math.Pow(a - b, 2)).Sum();
                norm += all[0][r].Sum(a => (double)a * a);
            }
            Console.WriteLine($"{specs[0]} vs {specs[s]}: same argmax {agree}/{all[0].Count}, relative L2 {Math.Sqrt(difference / norm):g3}");
        }
    }
}
