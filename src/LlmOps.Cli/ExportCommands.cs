using System.CommandLine;
using System.Security.Cryptography;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Registry;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Cli;

/// <summary>What is in the registry as files for other tools: from the data folder, or from a server.</summary>
internal static class ExportCommands
{
    private const string Checkpoint = "checkpoint";

    public static IEnumerable<Command> Create() => [Rows(), Model()];

    private static Command Rows()
    {
        var dataset = new Argument<string>("dataset") { Description = "Dataset version, name/number." };
        var output = new Option<string>("--output", "-o") { Description = "File to write; its ending says the format: .jsonl, .csv or .parquet.", Required = true };
        var split = new Option<string>("--split") { Description = "train, held-out or quarantine.", DefaultValueFactory = _ => "train" };
        var (server, data) = (Remote(), Data());
        var command = new Command("export", "Writes the rows of a dataset version as JSONL, CSV or Parquet.") { dataset, output, split, server, data };
        command.SetAction(async (parsed, ct) =>
        {
            var (key, path) = (VersionKey.Parse(parsed.GetValue(dataset)!), parsed.GetValue(output)!);
            var format = Path.GetExtension(path).ToLowerInvariant() switch
            {
                ".jsonl" => RowFileFormat.Jsonl, ".csv" => RowFileFormat.Csv, ".parquet" => RowFileFormat.Parquet,
                _ => throw LlmOpsException.Invalid($"'{path}' says no format. Let it end with .jsonl, .csv or .parquet."),
            };
            if (parsed.GetValue(server) is { } address)
            {
                using var connection = ServerConnection.Open(address);
                await using var rows = await connection.DownloadAsync($"/datasets/{Uri.EscapeDataString(key.Name)}/versions/{key.Number}/export?split={Uri.EscapeDataString(parsed.GetValue(split)!)}&format={format.ToString().ToLowerInvariant()}", ct);
                await WriteAsync(rows, path, null, ct);
            }
            else
            {
                using var host = await LocalHost.BuildAsync(parsed.GetValue(data), worker: false, ct);
                await using var rows = await host.Services.GetRequiredService<ExportDataset>().ExportAsync(key.Name, key.Number, parsed.GetValue(split)!, format, ct);
                await WriteAsync(rows, path, null, ct);
            }
            Output.Say(parsed, new { Dataset = key.ToString(), Split = parsed.GetValue(split), File = path, Bytes = new FileInfo(path).Length }, $"{key} {parsed.GetValue(split)}: {path}, {new FileInfo(path).Length:N0} bytes.");
            return 0;
        });
        return command;
    }

    private static Command Model()
    {
        var version = new Argument<string>("version") { Description = "Version, name/number for its checkpoint (a Hugging Face folder), name/number:variant for a variant." };
        var output = new Option<string>("--output", "-o") { Description = "Folder to write.", Required = true };
        var (server, data) = (Remote(), Data());
        var command = new Command("export-model", "Writes a checkpoint or a variant as a folder; each file is checked against its SHA-256.") { version, output, server, data };
        command.SetAction(async (parsed, ct) =>
        {
            var text = parsed.GetValue(version)!;
            var (key, form) = text.Contains(':', StringComparison.Ordinal) ? DeployCommands.Split(text) : (text, Checkpoint);
            var folder = parsed.GetValue(output)!;
            var (files, bytes) = parsed.GetValue(server) is { } address ? await FromServerAsync(address, VersionKey.Parse(key), form, folder, ct) : await FromFolderAsync(parsed.GetValue(data), VersionKey.Parse(key), form, folder, ct);
            Output.Say(parsed, new { Version = key, Form = form, Folder = folder, Files = files, Bytes = bytes }, $"{key}:{form}: {folder}, {files} files, {bytes:N0} bytes.");
            return 0;
        });
        return command;
    }

    private static async Task<(int, long)> FromServerAsync(string address, VersionKey key, string form, string folder, CancellationToken ct)
    {
        using var connection = ServerConnection.Open(address);
        var at = $"/models/{Uri.EscapeDataString(key.Name)}/versions/{key.Number}/files";
        var lists = (await connection.GetAsync(at, ct)).EnumerateArray().ToList();
        var list = lists.Find(l => l.Text("form") == form);
        if (list.ValueKind == System.Text.Json.JsonValueKind.Undefined)
            throw LlmOpsException.NotFound($"Form of {key} (there {(lists.Count == 1 ? "is" : "are")} {string.Join(", ", lists.Select(l => l.Text("form")))})", form);
        var (count, bytes) = (0, 0L);
        foreach (var file in list.GetProperty("files").EnumerateArray())
        {
            await using var stream = await connection.DownloadAsync($"{at}/{Uri.EscapeDataString(form)}/{string.Join('/', file.Text("path").Split('/').Select(Uri.EscapeDataString))}", ct);
            bytes += await WriteAsync(stream, Inside(folder, file.Text("path")), file.Text("digest"), ct);
            count++;
        }
        return (count, bytes);
    }

    private static async Task<(int, long)> FromFolderAsync(string? data, VersionKey key, string form, string folder, CancellationToken ct)
    {
        using var host = await LocalHost.BuildAsync(data, worker: false, ct);
        var version = await host.Services.GetRequiredService<ReadVersion>().GetAsync(key, ct);
        var digest = form == Checkpoint ? version.Digest : version.Variants.FirstOrDefault(v => v.Name == form)?.Digest
            ?? throw LlmOpsException.NotFound($"Variant of {key} (there are {string.Join(", ", version.Variants.Select(v => v.Name))})", form);
        var artifacts = host.Services.GetRequiredService<ArtifactStore>();
        var manifest = await artifacts.ManifestAsync(digest, ct);
        foreach (var file in manifest.Files)
        {
            await using var stream = artifacts.OpenFile(file);
            await WriteAsync(stream, Inside(folder, file.Path), file.Digest, ct);
        }
        return (manifest.Files.Count, manifest.SizeBytes);
    }

    /// <summary>Names come from a server: none of them may leave the folder.</summary>
    private static string Inside(string folder, string name)
    {
        var root = Path.GetFullPath(folder);
        var path = Path.GetFullPath(Path.Combine(root, name));
        return path.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal) ? path : throw LlmOpsException.Invalid($"The file name '{name}' leads out of the folder. Nothing more was written.");
    }

    /// <summary>The file appears whole or not at all.</summary>
    private static async Task<long> WriteAsync(Stream source, string path, string? digest, CancellationToken ct)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        var temporary = path + ".part";
        try
        {
            long length;
            using var hash = SHA256.Create();
            await using (var target = File.Create(temporary))
            await using (var hashed = new CryptoStream(target, hash, CryptoStreamMode.Write))
            {
                await source.CopyToAsync(hashed, ct);
                await hashed.FlushFinalBlockAsync(ct);
                length = target.Length;
            }
            if (digest is not null && Convert.ToHexStringLower(hash.Hash!) != digest)
                throw new LlmOpsException(ErrorCode.InternalError, $"{Path.GetFileName(path)} did not arrive as it is stored: its SHA-256 differs. Run the command again.");
            File.Move(temporary, path, overwrite: true);
            return length;
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    private static Option<string?> Remote() => new("--server") { Description = "Take it from this server in place of the data folder here." };

    private static Option<string?> Data() => new("--data-folder") { Description = "Data folder; the default is in your home." };
}
