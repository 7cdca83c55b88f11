namespace LlmOps.Engines.Onnx;

/// <summary>A folder written beside its target and moved into place when complete: a crash or a full disk leaves no half-written model.</summary>
internal sealed class StagedFolder : IDisposable
{
    private static readonly string[] Companions =
    [
        "config.json", "generation_config.json", "genai_config.json", "tokenizer.json", "tokenizer.model", "spiece.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
        "chat_template.jinja", "chat_template.json", "vocab.txt", "sentence_bert_config.json",
    ];
    private static readonly string[] WeightEndings =
        [".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx", ".onnx.data", ".onnx_adapter"];
    private readonly string target;
    private bool committed;

    public StagedFolder(string source, string target)
    {
        this.target = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(target));
        if (this.target == System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(source)))
            throw new ArgumentException("The target folder must differ from the source folder.", nameof(target));
        // The same name every time, so that a repeat clears what a killed run left.
        Path = $"{this.target}.partial";
        if (Directory.Exists(Path))
            Directory.Delete(Path, recursive: true);
        Directory.CreateDirectory(Path);
    }

    public string Path { get; }

    /// <summary>Copies tokenizer and configuration files, those that exist, so that every folder can be used on its own.</summary>
    public void CopyCompanions(string source)
    {
        foreach (var name in Companions)
        {
            var from = System.IO.Path.Combine(source, name);
            if (File.Exists(from))
                File.Copy(from, System.IO.Path.Combine(Path, name), overwrite: true);
        }
    }

    /// <summary>Copies everything that holds no weights, folders in it too: what is beside them may belong to the model in ways that are not known here.</summary>
    public void CopyAllButWeights(string source)
    {
        foreach (var from in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            var name = System.IO.Path.GetRelativePath(source, from);
            // Hidden files are a tool's own, and this folder itself may lie inside of the source.
            if (name.StartsWith('.') || from.StartsWith(Path, StringComparison.Ordinal) || WeightEndings.Any(ending => name.EndsWith(ending, StringComparison.OrdinalIgnoreCase)))
                continue;
            var to = System.IO.Path.Combine(Path, name);
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(to)!);
            File.Copy(from, to);
        }
    }

    /// <summary>Moves the finished folder to its name. An existing folder is filled file by file, <c>model.onnx</c> last, so that a reader never sees a graph without its weights.</summary>
    public void Commit()
    {
        if (!Directory.Exists(target))
        {
            Directory.CreateDirectory(System.IO.Path.GetDirectoryName(target)!);
            Directory.Move(Path, target);
        }
        else
        {
            foreach (var file in Directory.EnumerateFiles(Path, "*", SearchOption.AllDirectories).OrderBy(f => f.EndsWith(OnnxModel.FileName, StringComparison.Ordinal)))
            {
                var to = System.IO.Path.Combine(target, System.IO.Path.GetRelativePath(Path, file));
                Directory.CreateDirectory(System.IO.Path.GetDirectoryName(to)!);
                File.Move(file, to, overwrite: true);
            }
            Directory.Delete(Path, recursive: true);
        }
        committed = true;
    }

    public void Dispose()
    {
        if (!committed && Directory.Exists(Path))
            Directory.Delete(Path, recursive: true);
    }
}
