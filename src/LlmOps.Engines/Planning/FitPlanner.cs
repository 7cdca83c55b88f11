namespace LlmOps.Engines.Planning;

/// <summary>A model on a machine: one line for each precision, and what to deploy.</summary>
public sealed record FitPlan(ModelShape Model, Hardware Hardware, Workload Workload, IReadOnlyList<PrecisionPlan> Precisions, Recommendation Recommendation);

/// <summary>
/// Predicts memory, speed and time to the first token by the roofline model (Williams, Waterman, Patterson 2009): a step takes the longer of
/// reading its bytes and doing its arithmetic, and a fixed time for each layer's calls. The shares of the peaks that are reached are those of
/// ONNX Runtime on a 135M decoder, 2 threads (fp32 0.9 and int8 0.44 of the peaks, 4 bits 0.25 of int8's, 250 µs of calls a layer, as threads sleep between them by default; 70 µs where they spin); the shares on
/// graphics processors are assumptions until <see cref="PlanCheck"/> has something to compare with.
/// </summary>
public static class FitPlanner
{
    /// <summary>A .NET process with ONNX Runtime and nothing loaded; and a CUDA context with its libraries' workspaces (an assumption).</summary>
    internal const long CpuRuntimeBytes = 80_000_000, GpuRuntimeBytes = 800_000_000;
    /// <summary>Calls of about twelve nodes a layer.</summary>
    internal const double CpuSecondsPerLayer = 250e-6, GpuSecondsPerLayer = 30e-6;
    // A data sheet's peak is for one access pattern; reading weights in order reaches about four fifths of it.
    internal const double DataSheetBandwidthShare = 0.8;
    internal const double GpuComputeShare = 0.5;

    /// <summary>Plans every precision.</summary>
    /// <exception cref="ArgumentException">Shape, machine or workload are impossible; the message says which number.</exception>
    public static FitPlan Plan(ModelShape model, Hardware hardware, Workload workload)
    {
        if ((model.FindProblem() ?? hardware.FindProblem() ?? workload.FindProblem(model)) is { } problem)
            throw new ArgumentException($"Nothing to plan: {problem}");
        PrecisionPlan[] plans = [.. WeightPrecision.All.Select(p => Plan(p, model, hardware, workload))];
        return new(model, hardware, workload, plans, Recommendation.Of(model, hardware, workload, plans));
    }

    /// <summary>Plans one precision.</summary>
    public static PrecisionPlan Plan(WeightPrecision precision, ModelShape model, Hardware hardware, Workload workload)
    {
        var gpu = hardware.Kind == HardwareKind.Gpu;
        var weights = precision.WeightBytes(model);
        var resident = ResidentBytes(precision, model, gpu);
        var kvBytes = workload.KeyValueBytes != 0 ? workload.KeyValueBytes : gpu && precision != WeightPrecision.Fp32 ? 2 : 4;
        var perUser = model.KeyValueBytes(workload.Context, kvBytes);
        var kv = perUser * workload.Users;
        var workspace = WorkspaceBytes(model, workload, gpu);
        var runtime = gpu ? GpuRuntimeBytes : CpuRuntimeBytes;
        var room = PrecisionPlan.Usable(hardware.MemoryBytes) - resident - workspace - runtime;

        var bandwidth = hardware.BandwidthBytesPerSecond * (hardware.Source == HardwareSource.DataSheet ? DataSheetBandwidthShare : 1);
        var rate = Rate(precision, hardware);
        var calls = model.Layers * (gpu ? GpuSecondsPerLayer : CpuSecondsPerLayer);
        var read = BytesRead(precision, model, gpu);

        double stepRead = (read + kv) / bandwidth, stepWork = workload.Users * model.OperationsPerToken(workload.Context) / rate;
        var step = Math.Max(stepRead, stepWork) + calls;
        // Each chunk of a prompt reads the weights once more. Its tokens see half of the prompt on average.
        var chunks = Math.Ceiling(workload.Prompt / (double)ChunkTokens(model));
        double promptRead = chunks * read / bandwidth, promptWork = workload.Prompt * model.OperationsPerToken(workload.Prompt / 2.0) / rate;
        var prompt = Math.Max(promptRead, promptWork) + chunks * calls;

        return new(precision.Name, Whole(weights), resident, kv, perUser, workspace, runtime, hardware.MemoryBytes, room < 0 ? 0 : (int)Math.Min(int.MaxValue, room / perUser),
            workload.Users / step, 1 / step, stepRead >= stepWork ? Bound.Memory : Bound.Compute, Saturation(read, perUser, bandwidth, model.OperationsPerToken(workload.Context) / rate),
            workload.Prompt / prompt, promptRead >= promptWork ? Bound.Memory : Bound.Compute, prompt, workload.Users * prompt) { Notes = Notes(precision, hardware, workload, kvBytes) };
    }

    /// <summary>
    /// Weights in memory. On a processor ONNX Runtime widens 16-bit floats to 32, and packs the output head in another order than the
    /// embedding is stored: tied, there are two of them. (int8 stores two already.)
    /// </summary>
    internal static long ResidentBytes(WeightPrecision precision, ModelShape m, bool gpu)
    {
        if (gpu)
            return Whole(precision.WeightBytes(m));
        var stored = precision.IsQuantized ? precision : WeightPrecision.Fp32;
        var copy = m.TiedEmbeddings && stored != WeightPrecision.Int8 ? m.EmbeddingWeights * (precision.IsQuantized ? 1.0 : 4.0) : 0;
        return Whole(stored.WeightBytes(m) + copy);
    }

    /// <summary>Prompts go through in chunks of this many tokens: <c>2²⁴ / vocabulary</c>, between 16 and 256, as the generator does it.</summary>
    internal static int ChunkTokens(ModelShape m) => Math.Clamp((1 << 24) / m.VocabSize, 16, 256);

    /// <summary>
    /// The largest step: <c>t · (4·H + 2·q + 2·kv + 2·I)</c> values between the nodes of a layer and <c>t · V</c> logits in 32 bits, for t tokens at
    /// once (a chunk of a prompt, or one token of each user); on processors also <c>heads · t · prompt</c> attention scores.
    /// </summary>
    internal static long WorkspaceBytes(ModelShape m, Workload w, bool gpu)
    {
        var tokens = Math.Max(Math.Min(w.Prompt, ChunkTokens(m)), w.Users);
        var values = tokens * (4.0 * m.HiddenSize + 2 * m.QueryWidth + 2 * m.KeyValueWidth + 2.0 * m.IntermediateSize);
        var scores = gpu ? 0 : Math.Max((double)m.Heads * Math.Min(w.Prompt, ChunkTokens(m)) * w.Prompt, (double)m.Heads * w.Users * w.Context);
        return Whole(values * (gpu ? 2 : 4) + 4 * scores + 4.0 * tokens * m.VocabSize);
    }

    /// <summary>Operations per second that a decoder reaches with weights of this precision.</summary>
    internal static double Rate(WeightPrecision precision, Hardware h)
    {
        if (h.Kind == HardwareKind.Gpu)
            // Quantized weights are widened to fp16 inside the kernel.
            return GpuComputeShare * (precision == WeightPrecision.Fp32 ? h.Fp32OperationsPerSecond : h.HalfOperationsPerSecond);
        if (!precision.IsQuantized)
            return 0.9 * h.Fp32OperationsPerSecond;
        return (precision == WeightPrecision.Int8 ? 0.44 : 0.25) * h.Int8OperationsPerSecond;
    }

    private static double BytesRead(WeightPrecision precision, ModelShape m, bool gpu) =>
        (gpu || precision.IsQuantized ? precision : WeightPrecision.Fp32).BytesReadPerStep(m);

    // Batch at which u·work = (read + u·kv)/bandwidth. Where a user's cache takes longer to read than his arithmetic takes, there is none.
    private static int? Saturation(double read, double kvPerUser, double bandwidth, double workSeconds)
    {
        var gain = workSeconds - kvPerUser / bandwidth;
        return gain <= 0 ? null : (int)Math.Min(1_000_000, Math.Max(1, Math.Ceiling(read / bandwidth / gain)));
    }

    private static List<string> Notes(WeightPrecision precision, Hardware h, Workload w, int kvBytes)
    {
        var notes = new List<string>();
        if (h.Kind == HardwareKind.Cpu && !precision.IsQuantized && precision != WeightPrecision.Fp32)
            notes.Add("On a processor this is computed in fp32: the file is half as large, memory and speed are those of fp32.");
        if (h.Kind == HardwareKind.Gpu && precision == WeightPrecision.Bf16 && !h.HasBf16)
            notes.Add("This graphics processor has no bf16 arithmetic.");
        if (w.KeyValueBytes != 0 && kvBytes == 2 && (h.Kind == HardwareKind.Cpu && precision != WeightPrecision.Fp16 || precision == WeightPrecision.Fp32))
            notes.Add("A cache in fp16 needs a graph whose activations are fp16.");
        return notes;
    }

    private static long Whole(double bytes) => (long)Math.Min(bytes, 4e18);
}
