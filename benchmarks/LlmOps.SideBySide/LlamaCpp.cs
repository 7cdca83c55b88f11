using System.Runtime.InteropServices;

namespace LlmOps.SideBySide;

/// <summary>
/// The peer, called through the C interface of the prebuilt libllama in npm package @node-llama-cpp/linux-x64. The structures are
/// those of llama.h at tag v0.5.0: another version needs another look at them, so the folder's build record is checked first.
/// </summary>
internal sealed unsafe partial class LlamaCpp : IEngine
{
    private const string Version = "v0.5.0";
    private static nint? library;
    private readonly nint model, context;
    private readonly int vocabulary;

    public LlamaCpp(string libraryFolder, string ggufPath, int threads, int flashAttention, int sequences = 1)
    {
        var record = Path.Combine(libraryFolder, "_nlcBuildMetadata.json");
        if (!File.Exists(record) || !File.ReadAllText(record).Contains($"\"{Version}\"", StringComparison.Ordinal))
            throw new InvalidOperationException($"'{libraryFolder}' is not the bins folder of @node-llama-cpp/linux-x64 with llama.cpp {Version}.");
        var ggml = NativeLibrary.Load(Path.Combine(libraryFolder, $"libggml.{Version}.so"));
        library ??= NativeLibrary.Load(Path.Combine(libraryFolder, $"libllama.{Version}.so"));
        llama_log_set(&Log, 0);
        // Chooses the CPU build that this processor runs best (for example zen4, with AVX-512 VNNI and BF16).
        fixed (byte* folder = System.Text.Encoding.UTF8.GetBytes(libraryFolder + "\0"))
            ((delegate* unmanaged[Cdecl]<byte*, void>)NativeLibrary.GetExport(ggml, "ggml_backend_load_all_from_path"))(folder);
        llama_backend_init();
        var modelOptions = llama_model_default_params();
        fixed (byte* path = System.Text.Encoding.UTF8.GetBytes(ggufPath + "\0"))
            model = llama_model_load_from_file(path, modelOptions);
        if (model == 0)
            throw new InvalidOperationException($"llama.cpp cannot read '{ggufPath}'.");
        var options = llama_context_default_params();
        options.n_ctx = 1024 * (uint)sequences;
        options.n_seq_max = (uint)sequences;
        options.n_batch = options.n_ubatch = 512;
        options.n_threads = options.n_threads_batch = threads;
        options.flash_attn_type = flashAttention;
        options.no_perf = 1;
        context = llama_init_from_model(model, options);
        if (context == 0)
            throw new InvalidOperationException("llama.cpp cannot make a context.");
        vocabulary = RandomLlama.Config().VocabSize;
        Description = Marshal.PtrToStringUTF8(llama_print_system_info()) ?? "";
    }

    static LlamaCpp() => NativeLibrary.SetDllImportResolver(typeof(LlamaCpp).Assembly, (name, _, _) => name == "llama" ? library!.Value : 0);

    public string Description { get; }

    public void Reset() => llama_memory_clear(llama_get_memory(context), 0);

    public ReadOnlySpan<float> Append(ReadOnlySpan<int> tokens)
    {
        fixed (int* first = tokens)
        {
            // Without a logits array only the last token gets logits.
            var result = llama_decode(context, new Batch { n_tokens = tokens.Length, token = first });
            if (result != 0)
                throw new InvalidOperationException($"llama_decode returned {result}.");
        }
        llama_synchronize(context);
        return new ReadOnlySpan<float>(llama_get_logits_ith(context, -1), vocabulary);
    }

    public void Dispose()
    {
        llama_free(context);
        llama_model_free(model);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(System.Runtime.CompilerServices.CallConvCdecl)])]
    private static void Log(int level, byte* text, nint user)
    {
        if (level >= 3 || Environment.GetEnvironmentVariable("LLAMA_LOG") == "1") // warnings and errors
            Console.Error.Write(Marshal.PtrToStringUTF8((nint)text));
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Batch
    {
        public int n_tokens;
        public int* token;
        public float* embd;
        public int* pos, n_seq_id;
        public int** seq_id;
        public sbyte* logits;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct ModelOptions
    {
        public nint devices, tensor_buft_overrides;
        public int n_gpu_layers, split_mode, load_mode, lazy_mode, main_gpu;
        public nint tensor_split, progress_callback, progress_callback_user_data, kv_overrides;
        public byte vocab_only, check_tensors, use_extra_bufts, no_host, no_alloc, load_mtp;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct ContextOptions
    {
        public uint n_ctx, n_batch, n_ubatch, n_seq_max, n_rs_seq, n_outputs_max, n_outputs_max_per_seq;
        public int n_threads, n_threads_batch, ctx_type, rope_scaling_type, pooling_type, attention_type, flash_attn_type;
        public float rope_freq_base, rope_freq_scale, yarn_ext_factor, yarn_attn_factor, yarn_beta_fast, yarn_beta_slow;
        public uint yarn_orig_ctx;
        public float defrag_thold;
        public nint cb_eval, cb_eval_user_data;
        public int type_k, type_v;
        public nint abort_callback, abort_callback_data;
        public byte embeddings, offload_kqv, no_perf, op_offload, swa_full, kv_unified;
        public nint samplers;
        public nuint n_samplers;
        public nint ctx_other;
    }

    [DllImport("llama")] private static extern void llama_log_set(delegate* unmanaged[Cdecl]<int, byte*, nint, void> callback, nint user);
    [DllImport("llama")] private static extern void llama_backend_init();
    [DllImport("llama")] private static extern ModelOptions llama_model_default_params();
    [DllImport("llama")] private static extern ContextOptions llama_context_default_params();
    [DllImport("llama")] private static extern nint llama_model_load_from_file(byte* path, ModelOptions options);
    [DllImport("llama")] private static extern nint llama_init_from_model(nint model, ContextOptions options);
    [DllImport("llama")] private static extern void llama_free(nint context);
    [DllImport("llama")] private static extern void llama_model_free(nint model);
    [DllImport("llama")] private static extern nint llama_get_memory(nint context);
    [DllImport("llama")] private static extern void llama_memory_clear(nint memory, byte data);
    [DllImport("llama")] private static extern int llama_decode(nint context, Batch batch);
    [DllImport("llama")] private static extern void llama_synchronize(nint context);
    [DllImport("llama")] private static extern float* llama_get_logits_ith(nint context, int i);
    [DllImport("llama")] private static extern nint llama_print_system_info();
}
