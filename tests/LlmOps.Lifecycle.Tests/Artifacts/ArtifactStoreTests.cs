using System.Security.Cryptography;
using System.Text;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;

namespace LlmOps.Lifecycle.Tests.Artifacts;

public sealed class ArtifactStoreTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("llmops-test-store-").FullName;

    private ArtifactStore Store => new(Path.Combine(folder, "store"));

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string Source(params (string Path, string Text)[] files)
    {
        var source = Path.Combine(folder, Guid.NewGuid().ToString("N"));
        foreach (var (path, text) in files)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(source, path))!);
            File.WriteAllText(Path.Combine(source, path), text);
        }
        return source;
    }

    private string[] Blobs() => [.. Directory.EnumerateFiles(Path.Combine(folder, "store", "blobs"), "*", SearchOption.AllDirectories).Select(Path.GetFileName).Order()!];

    private static string Sha256(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    [Fact]
    public async Task Put_NamesEveryFile_ByItsOwnDigest()
    {
        var stored = await Store.PutFolderAsync(Source(("b/two.txt", "two"), ("a.txt", "one")));
        Assert.Equal([("a.txt", Sha256("one"), 3L), ("b/two.txt", Sha256("two"), 3L)], stored.Manifest.Files.Select(f => (f.Path, f.Digest, f.SizeBytes)));
        Assert.Equal(6, stored.SizeBytes);
        Assert.Equal(Sha256(Json.Write(stored.Manifest)), stored.Digest);
        Assert.Equal(3, Blobs().Length);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(folder, "store", "incoming")));
    }

    [Fact]
    public async Task SameBytes_AreStoredOnce()
    {
        var first = await Store.PutFolderAsync(Source(("a.txt", "same"), ("copy.txt", "same")));
        var before = Blobs();
        var again = await Store.PutFolderAsync(Source(("copy.txt", "same"), ("a.txt", "same")));
        Assert.Equal(first.Digest, again.Digest);
        Assert.Equal(2, before.Length);
        Assert.Equal(before, Blobs());
    }

    [Fact]
    public async Task SameBytes_CanBeStoredByManyAtOnce()
    {
        var source = Source(("a.txt", new string('x', 100_000)));
        var digests = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => Store.PutFolderAsync(source))));
        Assert.Single(digests.Select(d => d.Digest).Distinct());
        Assert.Equal(2, Blobs().Length);
    }

    [Fact]
    public async Task Folder_HasTheFilesThatWereStored()
    {
        var stored = await Store.PutFolderAsync(Source(("a.txt", "one"), ("deep/er/b.txt", "two")));
        var read = await Store.FolderAsync(stored.Digest);
        Assert.Equal("one", await File.ReadAllTextAsync(Path.Combine(read, "a.txt")));
        Assert.Equal("two", await File.ReadAllTextAsync(Path.Combine(read, "deep", "er", "b.txt")));
    }

    [Fact]
    public async Task Folder_IsMadeOnce_WhenManyReadersAskAtOnce()
    {
        var stored = await Store.PutFolderAsync(Source([.. Enumerable.Range(0, 30).Select(i => ($"f{i}.txt", $"text {i}"))]));
        var folders = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => Store.FolderAsync(stored.Digest))));
        Assert.Equal(30, Directory.GetFiles(Assert.Single(folders.Distinct())).Length);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(folder, "store", "incoming")));
    }

    [Theory]
    [InlineData("../outside.txt")]
    [InlineData("/etc/outside.txt")]
    [InlineData("a/../../outside.txt")]
    [InlineData(".")]
    public async Task ManifestThatLeadsOutOfItsFolder_IsRefused(string path)
    {
        var store = Store;
        var content = await store.PutFolderAsync(Source(("a.txt", "one")));
        // A manifest is a blob like any other: whoever can store bytes can store this one.
        var forged = Json.Write(new ArtifactManifest([new(path, content.Manifest.Files[0].Digest, 3)]));
        var digest = (await store.PutFolderAsync(Source(("manifest.json", forged)))).Manifest.Files[0].Digest;
        var refusal = await Assert.ThrowsAsync<LlmOpsException>(() => store.FolderAsync(digest));
        Assert.Equal(ErrorCode.InvalidParameterValue, refusal.Code);
        Assert.DoesNotContain(Directory.EnumerateFiles(folder, "outside.txt", SearchOption.AllDirectories), _ => true);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(folder, "store", "incoming")));
    }

    [Theory]
    [InlineData("../../../../etc/passwd")]
    [InlineData("ABCDEF")]
    [InlineData("")]
    public async Task DigestThatIsNone_IsRefused(string digest) =>
        Assert.Equal(ErrorCode.InvalidParameterValue, (await Assert.ThrowsAsync<LlmOpsException>(() => Store.FolderAsync(digest))).Code);

    [Fact]
    public async Task UnknownDigest_IsNotFound() =>
        Assert.Equal(ErrorCode.ResourceDoesNotExist, (await Assert.ThrowsAsync<LlmOpsException>(() => Store.FolderAsync(new string('a', 64)))).Code);

    [Theory]
    [InlineData("on")]          // shorter
    [InlineData("One")]         // as long, but other bytes
    public async Task DamagedBlob_IsNeverGivenOut(string damage)
    {
        var store = Store;
        var stored = await store.PutFolderAsync(Source(("a.txt", "one")));
        var digest = stored.Manifest.Files[0].Digest;
        await File.WriteAllTextAsync(Path.Combine(folder, "store", "blobs", digest[..2], digest), damage);
        Assert.Contains("the store is damaged", (await Assert.ThrowsAsync<InvalidOperationException>(() => store.FolderAsync(stored.Digest))).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(folder, "store", "folders", stored.Digest)));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(folder, "store", "incoming")));
    }

    [Fact]
    public async Task EmptyFolder_IsNothingToStore() => await Assert.ThrowsAsync<InvalidOperationException>(() => Store.PutFolderAsync(Directory.CreateDirectory(Path.Combine(folder, "empty")).FullName));
}
