using LlmOps.Engines.Checkpoints;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace LlmOps.SideBySide;

/// <summary>
/// Our side, written out on ONNX Runtime so that single settings can be switched: shared key/value buffers, preallocated inputs and
/// outputs. A folder with <c>prefill.onnx</c> uses it for steps of 8 tokens and more.
/// </summary>
internal sealed class OnnxDecoder : IEngine
{
    private const int Capacity = 1024, LongStep = 8;
    private readonly ModelConfig config;
    private readonly Graph decode;
    private readonly Graph? prefill;
    private readonly List<OrtValue> cache = [];
    private readonly long[] ones = new long[Capacity];
    private int length;

    public OnnxDecoder(string folder, IReadOnlyDictionary<string, string> settings)
    {
        config = ModelConfig.Read(folder);
        Array.Fill(ones, 1);
        for (var i = 0; i < config.NumHiddenLayers * 2; i++)
        {
            var buffer = OrtValue.CreateAllocatedTensorValue(OrtAllocator.DefaultInstance, TensorElementType.Float, [1, config.NumKeyValueHeads, Capacity, config.HeadDim]);
            buffer.GetTensorMutableDataAsSpan<float>().Clear();
            cache.Add(buffer);
        }
        decode = Open("model.onnx", stopSpinning: false);
        if (File.Exists(Path.Combine(folder, "prefill.onnx")))
            prefill = Open("prefill.onnx", stopSpinning: true);
        if (settings.ContainsKey("huge"))
            LlmOps.Engines.Inference.HugePages.Collapse();

        Graph Open(string file, bool stopSpinning)
        {
            using var options = new SessionOptions
            {
                IntraOpNumThreads = int.Parse(settings.GetValueOrDefault("threads", "2")),
                InterOpNumThreads = 1,
                GraphOptimizationLevel = settings.GetValueOrDefault("level", "all") == "none" ? GraphOptimizationLevel.ORT_DISABLE_ALL : GraphOptimizationLevel.ORT_ENABLE_ALL,
                EnableMemoryPattern = settings.ContainsKey("pattern"),
                EnableCpuMemArena = !settings.ContainsKey("noarena"),
                LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR,
            };
            if (settings.TryGetValue("profile", out var prefix))
            {
                options.ProfileOutputPathPrefix = prefix + Path.GetFileNameWithoutExtension(file);
                options.EnableProfiling = true;
            }
            options.AddSessionConfigEntry("session.intra_op.allow_spinning", settings.GetValueOrDefault("spin", "1"));
            if (stopSpinning)
                options.AddSessionConfigEntry("session.force_spinning_stop", "1");
            foreach (var (key, value) in settings.Where(s => s.Key.Contains('.', StringComparison.Ordinal)))
                options.AddSessionConfigEntry(key, value);
            return new Graph(new InferenceSession(Path.Combine(folder, file), options), config, cache);
        }
    }

    public string Description => "ONNX Runtime " + OrtEnv.Instance().GetVersionString();

    public void Reset() => length = 0;

    public ReadOnlySpan<float> Append(ReadOnlySpan<int> tokens)
    {
        var graph = prefill is not null && tokens.Length >= LongStep ? prefill : decode;
        length += tokens.Length;
        return graph.Run(tokens, ones.AsMemory(0, length));
    }

    public void Dispose()
    {
        decode.Dispose();
        prefill?.Dispose();
        foreach (var buffer in cache)
            buffer.Dispose();
    }

    private sealed class Graph : IDisposable
    {
        private readonly InferenceSession session;
        private readonly OrtIoBinding binding;
        private readonly RunOptions options = new();
        private readonly bool lastOnly;
        private readonly int vocabulary;
        private long[] ids = [];
        private float[] logits = [];
        private OrtValue? input, output;

        public Graph(InferenceSession session, ModelConfig config, List<OrtValue> cache)
        {
            this.session = session;
            binding = session.CreateIoBinding();
            vocabulary = config.VocabSize;
            lastOnly = session.OutputMetadata["logits"].Dimensions[1] == 1;
            for (var i = 0; i < config.NumHiddenLayers; i++)
            {
                binding.BindInput($"past_key_values.{i}.key", cache[2 * i]);
                binding.BindInput($"past_key_values.{i}.value", cache[2 * i + 1]);
                binding.BindOutput($"present.{i}.key", cache[2 * i]);
                binding.BindOutput($"present.{i}.value", cache[2 * i + 1]);
            }
        }

        public ReadOnlySpan<float> Run(ReadOnlySpan<int> tokens, Memory<long> mask)
        {
            var rows = lastOnly ? 1 : tokens.Length;
            if (ids.Length != tokens.Length)
            {
                input?.Dispose();
                output?.Dispose();
                ids = new long[tokens.Length];
                if (logits.Length < rows * vocabulary)
                    logits = new float[rows * vocabulary];
                input = OrtValue.CreateTensorValueFromMemory(ids, [1, tokens.Length]);
                output = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, logits.AsMemory(0, rows * vocabulary), [1, rows, vocabulary]);
                binding.BindInput("input_ids", input);
                binding.BindOutput("logits", output);
            }
            for (var i = 0; i < tokens.Length; i++)
                ids[i] = tokens[i];
            using var attention = OrtValue.CreateTensorValueFromMemory(OrtMemoryInfo.DefaultInstance, mask, [1, mask.Length]);
            binding.BindInput("attention_mask", attention);
            session.RunWithBinding(options, binding);
            return logits.AsSpan((rows - 1) * vocabulary, vocabulary);
        }

        public void Dispose()
        {
            binding.Dispose();
            options.Dispose();
            input?.Dispose();
            output?.Dispose();
            session.Dispose();
        }
    }
}
