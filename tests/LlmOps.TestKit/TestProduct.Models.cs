using LlmOps.Lifecycle.Registry;

namespace LlmOps.TestKit;

public sealed partial class TestProduct
{
    /// <summary>A version whose checkpoint has the configuration of <see cref="TinyModels"/>, with variants whose graph files have the given sizes.</summary>
    public async Task<ModelVersion> ShapedVersionAsync(string model, params (string Name, string Precision, int GraphBytes)[] variants)
    {
        var folder = Directory.CreateTempSubdirectory("llmops-test-shape-").FullName;
        TinyModels.Config().Write(folder);
        var checkpoint = await Artifacts.PutFolderAsync(folder);
        Directory.Delete(folder, recursive: true);
        await using var db = Open();
        var version = await db.AddVersionAsync(new NewVersion(model, "fine-tune", checkpoint, TinyModels.Config().ParameterCount, "", "facts/1", "MIT", "{}", null, null, null), Alice, Clock.GetUtcNow(), default);
        foreach (var (name, precision, bytes) in variants)
        {
            folder = Directory.CreateTempSubdirectory("llmops-test-variant-").FullName;
            await File.WriteAllBytesAsync(Path.Combine(folder, "model.onnx"), new byte[bytes]);
            await File.WriteAllTextAsync(Path.Combine(folder, "tokenizer.json"), name);
            await db.PutVariantAsync(new NewVariant(version.Id, name, precision, await Artifacts.PutFolderAsync(folder), null, "{}", null), Alice, Clock.GetUtcNow(), default);
            Directory.Delete(folder, recursive: true);
        }
        await db.SaveChangesAsync();
        return version;
    }
}
