using System.IO.Compression;
using LlmOps.Engines.Checkpoints;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Registry;

public abstract class ImportModelTests(DatabaseProvider provider) : ProductTests(provider), IDisposable
{
    private static readonly Actor Engineer = Actor.WithRoles(Guid.CreateVersion7(), "erin", [Roles.Engineer]);
    private readonly string folder = Directory.CreateTempSubdirectory("llmops-model-").FullName;

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task ImportAsync_RegistersAVersion_WithWhatTheCheckpointIs()
    {
        var config = TinyFamilies.Write(folder, "qwen2");
        File.WriteAllText(Path.Combine(folder, "modeling_custom.py"), "import os");

        var version = await Get<ImportModel>().ImportAsync("qwen", folder, "Apache-2.0", "tiny", Engineer);

        var stored = await ReadAsync(db => db.ModelVersions.Include(v => v.Model).SingleAsync());
        Assert.Equal(("qwen", 1, "import", config.ParameterCount, "Apache-2.0", "erin"), (stored.Model!.Name, stored.Number, stored.Stage, stored.Parameters, stored.Licence, stored.CreatedBy));
        Assert.Contains("\"family\":\"qwen2\"", stored.ReportJson, StringComparison.Ordinal);
        // Code that came along is not stored.
        Assert.Equal(["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
            (await Get<ArtifactStore>().ManifestAsync(version.ArtifactDigest)).Files.Select(f => f.Path));
    }

    [Fact]
    public async Task ImportAsync_AddsNoSecondVersion_WhenRepeated()
    {
        TinyFamilies.Write(folder, "gpt2");

        var first = await Get<ImportModel>().ImportAsync("gpt", folder, "MIT", "", Engineer);
        var again = await Get<ImportModel>().ImportAsync("gpt", folder, "MIT", "", Engineer);

        Assert.Equal(first.Id, again.Id);
        Assert.Equal(1, await CountAsync(db => db.ModelVersions));
    }

    [Fact]
    public async Task ImportZipAsync_TakesTheFilesOfOneFolder_WhateverPathStandsBeforeThem()
    {
        TinyFamilies.Write(folder, "gemma2");
        using var zip = Zip("../../evil/");

        var version = await Get<ImportModel>().ImportZipAsync("gemma", zip, "other", "", Engineer);

        Assert.Equal("gemma/1", version.Key().ToString());
    }

    [Fact]
    public async Task ImportAsync_NamesTheTensorAndKeepsNothing_WhenAWeightIsNotFinite()
    {
        var config = TinyFamilies.Write(folder, "llama");
        SafetensorsWriter.WriteFloat32(Path.Combine(folder, "model.safetensors"), DecoderTensors.Expected(config).Select(t =>
        {
            var values = new float[t.Shape.Aggregate(1L, (a, b) => a * b)];
            values[^1] = t.Name == "model.layers.2.self_attn.k_proj.weight" ? float.PositiveInfinity : 0;
            return (t.Name, t.Shape, values);
        }).ToList());

        var message = await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<ImportModel>().ImportAsync("broken", folder, "", "", Engineer));

        Assert.Contains("model.layers.2.self_attn.k_proj.weight", message, StringComparison.Ordinal);
        Assert.Equal(0, await CountAsync(db => db.Models));
    }

    [Theory]
    [InlineData("config.json", "config.json is missing")]
    [InlineData("model.safetensors", "model.safetensors is missing")]
    [InlineData("tokenizer.json", "tokenizer")]
    public async Task ImportAsync_NamesTheFile_WhenOneIsMissing(string file, string named)
    {
        TinyFamilies.Write(folder, "llama");
        File.Delete(Path.Combine(folder, file));

        Assert.Contains(named, await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<ImportModel>().ImportAsync("broken", folder, "", "", Engineer)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ImportAsync_RefusesALink_WhichCouldLeadToAnyFileOfTheServer()
    {
        TinyFamilies.Write(folder, "llama");
        File.CreateSymbolicLink(Path.Combine(folder, "LICENSE"), "/etc/hostname");

        Assert.Contains("'LICENSE' is a link", await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<ImportModel>().ImportAsync("broken", folder, "", "", Engineer)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ImportZipAsync_SaysSo_WhenTheFileIsNoZip()
    {
        using var text = new MemoryStream("not a zip"u8.ToArray());

        Assert.Contains("not a whole zip file", await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<ImportModel>().ImportZipAsync("broken", text, "", "", Engineer)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ImportAsync_IsForThoseWhoMayWriteModels() =>
        await RefusedAsync(ErrorCode.PermissionDenied, () => Get<ImportModel>().ImportAsync("any", folder, "", "", Actor.WithRoles(Guid.CreateVersion7(), "vic", [Roles.Viewer])));

    private MemoryStream Zip(string before)
    {
        var zip = new MemoryStream();
        using (var archive = new ZipArchive(zip, ZipArchiveMode.Create, leaveOpen: true))
            foreach (var file in Directory.EnumerateFiles(folder))
                archive.CreateEntryFromFile(file, before + Path.GetFileName(file));
        zip.Position = 0;
        return zip;
    }
}

public sealed class ModelImportsOnSqlite() : ImportModelTests(DatabaseProvider.Sqlite);

public sealed class ModelImportsOnPostgres() : ImportModelTests(DatabaseProvider.Postgres);
