using System.Buffers.Binary;
using System.Text;
using LlmOps.Engines.Checkpoints;

namespace LlmOps.Engines.Tests.Checkpoints;

public sealed class SafetensorsFileTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string Path => folder.At("model.safetensors");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Open_ReadsBackWhatWasWritten()
    {
        SafetensorsWriter.WriteFloat32(Path, [("a", [2, 3], [1, 2, 3, 4, 5, 6]), ("empty", [0, 7], []), ("scalar", [], [0.5f])]);

        using var file = SafetensorsFile.Open(Path);

        Assert.Equal(["a", "empty", "scalar"], file.Tensors.Keys.Order());
        Assert.Equal([2, 3], file.Tensors["a"].Shape);
        Assert.Equal([1f, 2, 3, 4, 5, 6], file.ReadFloat32("a"));
        Assert.Equal([0.5f], file.ReadFloat32("scalar"));
        Assert.Empty(file.ReadFloat32("empty"));
        Assert.Equal("pt", file.Metadata["format"]);
        Assert.Equal(0, file.Tensors["a"].Offset % 8);
    }

    [Fact]
    public void ReadFloat32_ConvertsHalfBfloatAndDouble()
    {
        SafetensorsWriter.Write(Path,
        [
            new("half", TensorType.F16, [2], s => s.Write([0x00, 0x3E, 0x00, 0xC0])),      // 1.5, -2
            new("bfloat", TensorType.BF16, [2], s => s.Write([0x49, 0x40, 0x80, 0xBF])),   // 3.140625, -1
            new("double", TensorType.F64, [1], s => s.Write(BitConverter.GetBytes(0.25))),
            new("ids", TensorType.I64, [1], s => s.Write(BitConverter.GetBytes(7L))),
        ]);

        using var file = SafetensorsFile.Open(Path);

        Assert.Equal([1.5f, -2f], file.ReadFloat32("half"));
        Assert.Equal([3.140625f, -1f], file.ReadFloat32("bfloat"));
        Assert.Equal([0.25f], file.ReadFloat32("double"));
        Assert.Equal("Tensor 'ids' is I64; only F32, F16, BF16 and F64 can be read as single precision.",
            Assert.Throws<UnsupportedModelException>(() => file.ReadFloat32("ids")).Message);
        Assert.Equal("Tensor 'no' is missing.", Assert.Throws<InvalidModelException>(() => file.Bytes("no").Length).Message);
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}""", 12, "Tensors 'a' and 'b' overlap.")]
    [InlineData("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}""", 8, "Tensor 'a' takes 8 bytes, but its shape [3] of F32 does not.")]
    [InlineData("""{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}""", 8, "Tensor 'a' takes 8 bytes, but its shape [-2] of F32 does not.")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}""", 0, "Tensor 'a' takes 0 bytes, but its shape")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "has tensor 'a' twice.")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", 7, "is truncated: tensor 'a' ends at data byte 8, the file has 7 data bytes.")]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}""", 8, "Tensor 'a' has impossible offsets [8,0].")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "has 4 unused bytes before tensor 'a'.")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 6, "has 2 unused bytes at its end.")]
    [InlineData("""{"a":{"dtype":"F32","shape":"x","data_offsets":[0,4]}}""", 4, "header is malformed")]
    [InlineData("""{"a":{"dtype":"F32","shape":[1]}}""", 4, "header is malformed")]
    [InlineData("""{"a":""", 0, "header is malformed")]
    [InlineData("""[1]""", 0, "does not start with '{'")]
    public void Open_RefusesFile_WhenTheHeaderLies(string header, int dataBytes, string reason)
    {
        WriteRaw(header, dataBytes);

        var error = Assert.Throws<InvalidModelException>(() => SafetensorsFile.Open(Path));

        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.StartsWith("model.safetensors: ", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_RefusesFile_WhenTheElementTypeIsUnknown()
    {
        WriteRaw("""{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}}""", 4);

        Assert.Equal("Tensor 'a' has the unknown element type 'F4'.", Assert.Throws<UnsupportedModelException>(() => SafetensorsFile.Open(Path)).Message);
    }

    [Fact]
    public void Open_RefusesFile_WhenTheHeaderIsLongerThanTheFile()
    {
        File.WriteAllBytes(Path, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F, (byte)'{', (byte)'}']);

        Assert.Contains("longer than the file (10 bytes)", Assert.Throws<InvalidModelException>(() => SafetensorsFile.Open(Path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_RefusesFile_WhenItIsMissing() =>
        Assert.Equal("model.safetensors is missing.", Assert.Throws<InvalidModelException>(() => SafetensorsFile.Open(Path)).Message);

    [Fact]
    public void Open_RefusesFile_AtEveryTruncation()
    {
        SafetensorsWriter.WriteFloat32(Path, [("a", [2, 2], [1, 2, 3, 4]), ("b", [3], [5, 6, 7])]);
        var whole = File.ReadAllBytes(Path);

        for (var length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(Path, whole[..length]);
            Assert.Throws<InvalidModelException>(() => SafetensorsFile.Open(Path));
        }
    }

    [Fact]
    public void Open_ReadsOrRefuses_WhenBytesAreFlipped()
    {
        SafetensorsWriter.WriteFloat32(Path, [("a", [2, 2], [1, 2, 3, 4]), ("b", [3], [5, 6, 7])]);
        var whole = File.ReadAllBytes(Path);
        var random = new Random(7);

        for (var round = 0; round < 3000; round++)
        {
            var damaged = whole.ToArray();
            for (var flips = random.Next(1, 4); flips > 0; flips--)
                damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            File.WriteAllBytes(Path, damaged);
            try
            {
                using var file = SafetensorsFile.Open(Path);
                foreach (var name in file.Tensors.Keys)
                    Assert.Equal(file.Tensors[name].Length, file.Bytes(name).Length);
            }
            catch (Exception e) when (e is InvalidModelException or UnsupportedModelException)
            {
            }
        }
    }

    [Fact]
    public void Write_LeavesTheOldFileAndNothingElse_WhenASourceFails()
    {
        SafetensorsWriter.WriteFloat32(Path, [("a", [1], [1])]);

        Assert.Throws<ArgumentException>(() => SafetensorsWriter.WriteFloat32(Path, [("a", [2], [1])]));
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.WriteFloat32(Path, [("a", [1], [1]), ("a", [1], [1])]));
        Assert.Throws<IOException>(() => SafetensorsWriter.Write(Path, [new("a", TensorType.F32, [1], _ => throw new IOException("disk full"))]));

        Assert.Equal([Path], Directory.GetFiles(folder.Root));
        using var file = SafetensorsFile.Open(Path);
        Assert.Equal([1f], file.ReadFloat32("a"));
    }

    private void WriteRaw(string header, int dataBytes)
    {
        var json = Encoding.UTF8.GetBytes(header);
        var bytes = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, json.Length);
        json.CopyTo(bytes, 8);
        File.WriteAllBytes(Path, bytes);
    }
}
