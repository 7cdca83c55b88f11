using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.Tests.Onnx;

public sealed class WriteBehindFileTests(ExportedModels models)
{
    [Fact]
    public void Write_KeepsEveryByteAndKnowsItsPosition_AcrossBuffersAndFlushes()
    {
        var path = models.New();
        var expected = new byte[(70 << 20) + 12345]; // passes every buffer and the point where the file is synchronised
        new Random(3).NextBytes(expected);
        using (var file = new WriteBehindFile(path))
        {
            var random = new Random(4);
            for (var at = 0; at < expected.Length;)
            {
                Assert.Equal(at, file.Position);
                var part = Math.Min(expected.Length - at, random.Next(3) == 0 ? random.Next(9 << 20) : random.Next(100_000));
                file.Write(expected.AsSpan(at, part));
                at += part;
                if (random.Next(50) == 0)
                    file.Flush();
            }
            file.FlushToDisk();
        }
        Assert.True(expected.AsSpan().SequenceEqual(File.ReadAllBytes(path)), "the file differs");
        File.Delete(path);
    }

    [Fact]
    public void Flush_ReportsWhatTheDiskRefused()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "only Linux has a device that is always full");
        using var file = new WriteBehindFile("/dev/full", FileMode.Open);
        file.Write(new byte[100]);
        Assert.Throws<IOException>(file.Flush);
    }

    [Fact]
    public void Dispose_EndsWithoutAFlush_AlsoTwice()
    {
        var path = models.New();
        using (var file = new WriteBehindFile(path))
        {
            file.Write(new byte[10 << 20]);
            file.Dispose();
        }
        File.Delete(path);
    }
}
