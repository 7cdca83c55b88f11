using System.IO.Compression;
using LlmOps.Engines;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Messaging;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Registry;

/// <summary>A checkpoint that was checked whole and stored; not yet a version.</summary>
/// <param name="Family">The <c>model_type</c>.</param>
/// <param name="Shards">Files of weights.</param>
/// <param name="VocabularySize">Rows of the embedding.</param>
/// <param name="TokenizerSize">Tokens that the tokenizer knows.</param>
/// <param name="ContextLength">Longest sequence, in tokens.</param>
public sealed record ImportReport(string Family, int Shards, int VocabularySize, int TokenizerSize, int ContextLength);

/// <summary>Brings a Hugging Face checkpoint of any supported family into the registry. Nothing is kept when it is refused.</summary>
public sealed class ImportModel(IDbContextFactory<LlmOpsDb> dbs, ArtifactStore artifacts, Hints hints, TimeProvider time)
{
    public const long LargestUpload = 16L << 30;
    public const string Stage = "import";

    // A model folder has other files too: pictures, the same weights in other formats, code. Only what is read here is stored.
    private static readonly HashSet<string> Kept = new(StringComparer.OrdinalIgnoreCase)
    {
        "config.json", "generation_config.json", "tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
        "chat_template.jinja", "chat_template.json", CheckpointWeights.IndexFileName, "README.md", "LICENSE", "LICENSE.txt",
    };

    /// <summary>Reads a folder of this machine.</summary>
    public async Task<ModelVersion> ImportAsync(string model, string folder, string licence, string description, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.WriteModels);
        ModelName.Parse(model);
        var work = Directory.CreateTempSubdirectory("llmops-import-").FullName;
        try
        {
            var (artifact, config, report) = await PrepareAsync(folder, work, ct);
            var version = await UniqueViolation.RetryAsync(async () =>
            {
                await using var db = await dbs.CreateDbContextAsync(ct);
                var added = await PublishAsync(db, new NewVersion(model, Stage, artifact, config.ParameterCount, description, "", licence, Json.Write(report), null, null, null), actor, time.GetUtcNow(), ct);
                await db.SaveChangesAsync(ct);
                return added;
            });
            await hints.ChangedAsync(Areas.Model, version.ModelId);
            return version;
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    /// <summary>Reads an uploaded zip file with the files of one folder.</summary>
    public async Task<ModelVersion> ImportZipAsync(string model, Stream zip, string licence, string description, Actor actor, CancellationToken ct = default)
    {
        actor.Require(Permission.WriteModels);
        ModelName.Parse(model);
        var work = Directory.CreateTempSubdirectory("llmops-unpack-").FullName;
        try
        {
            await UnpackAsync(zip, work, ct);
            return await ImportAsync(model, work, licence, description, actor, ct);
        }
        finally
        {
            Directory.Delete(work, recursive: true);
        }
    }

    /// <summary>Checks configuration, tokenizer, every tensor's shape and every value, and stores the files.</summary>
    /// <exception cref="LlmOpsException">The folder is not a checkpoint that can be used; the message names the file, tensor or setting.</exception>
    public async Task<(StoredArtifact Artifact, ModelConfig Config, ImportReport Report)> PrepareAsync(string folder, string workFolder, CancellationToken ct)
    {
        if (!Directory.Exists(folder))
            throw LlmOpsException.Invalid("There is no such folder. Name the folder that holds config.json.");
        var target = Directory.CreateDirectory(Path.Combine(workFolder, "checkpoint")).FullName;
        foreach (var file in Directory.EnumerateFiles(folder).Where(f => IsKept(Path.GetFileName(f))))
        {
            // A link could lead to any file of the server.
            if (new FileInfo(file).LinkTarget is not null)
                throw LlmOpsException.Invalid($"'{Path.GetFileName(file)}' is a link. Copy the file itself into the folder.");
            await CopyAsync(File.OpenRead(file), Path.Combine(target, Path.GetFileName(file)), long.MaxValue, ct);
        }
        var (config, report) = await Task.Run(() => Check(target, ct), ct);
        return (await artifacts.PutFolderAsync(target, ct), config, report);
    }

    /// <summary>Adds the version, or finds the one with the same bytes that an earlier import made.</summary>
    public static async Task<ModelVersion> PublishAsync(LlmOpsDb db, NewVersion made, Actor actor, DateTimeOffset now, CancellationToken ct) =>
        await db.ModelVersions.Include(v => v.Model).Where(v => v.Model!.Name == made.Model && v.ArtifactDigest == made.Artifact.Digest && v.Stage == Stage).OrderBy(v => v.Number).FirstOrDefaultAsync(ct)
            ?? await db.AddVersionAsync(made, actor, now, ct);

    private static (ModelConfig Config, ImportReport Report) Check(string folder, CancellationToken ct)
    {
        try
        {
            using var checkpoint = CheckpointFolder.Open(folder);
            var tokenizer = Tokenizer.Load(folder);
            if (tokenizer.VocabularySize > checkpoint.Config.VocabSize)
                throw new InvalidModelException($"The tokenizer knows {tokenizer.VocabularySize} tokens, the model only {checkpoint.Config.VocabSize}.");
            checkpoint.EnsureFinite(ct);
            return (checkpoint.Config, new(checkpoint.Config.ModelType, checkpoint.Weights.Files, checkpoint.Config.VocabSize, tokenizer.VocabularySize, checkpoint.Config.MaxPositionEmbeddings));
        }
        catch (Exception e) when (e is InvalidModelException or UnsupportedModelException)
        {
            throw new LlmOpsException(ErrorCode.InvalidParameterValue, $"The checkpoint was not imported: {e.Message}", e);
        }
    }

    private static bool IsKept(string name) => Kept.Contains(name) || name.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase) && !name.StartsWith("adapter_", StringComparison.OrdinalIgnoreCase);

    private static async Task UnpackAsync(Stream zip, string folder, CancellationToken ct)
    {
        try
        {
            using var archive = new ZipArchive(zip, ZipArchiveMode.Read, leaveOpen: true);
            var left = LargestUpload;
            foreach (var entry in archive.Entries.Where(e => IsKept(e.Name)))
            {
                // The entry's own name only, whatever path stands before it: nothing can be written outside of the folder.
                var target = Path.Combine(folder, Path.GetFileName(entry.Name));
                if (File.Exists(target))
                    throw LlmOpsException.Invalid($"The zip file holds '{entry.Name}' twice, in different folders. Pack the files of one model folder.");
                left -= await CopyAsync(await entry.OpenAsync(ct), target, left, ct);
            }
        }
        catch (InvalidDataException e)
        {
            throw new LlmOpsException(ErrorCode.InvalidParameterValue, "The upload is not a whole zip file. Pack the model folder again.", e);
        }
    }

    // Sizes that an archive states are not believed: what comes out is counted.
    private static async Task<long> CopyAsync(Stream source, string target, long most, CancellationToken ct)
    {
        await using (source)
        {
            await using var file = new FileStream(target, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 20, FileOptions.Asynchronous);
            var buffer = new byte[1 << 20];
            for (int read; (read = await source.ReadAsync(buffer, ct)) > 0;)
            {
                if (file.Length + read > most)
                    throw new LlmOpsException(ErrorCode.RequestLimitExceeded, $"The zip file unpacks to more than {LargestUpload >> 30} GiB. Import the folder with the command line on the server.");
                await file.WriteAsync(buffer.AsMemory(0, read), ct);
            }
            return file.Length;
        }
    }
}
