using LlmOps.Engines.Inference;

namespace LlmOps.Engines.Tests.Inference;

public sealed class HugePagesTests(ExportedModels models)
{
    [Fact]
    public void Anonymous_FindsWholeLargePagesOfPrivateWritableMemoryOnly()
    {
        string[] maps =
        [
            "7f0000100000-7f0000900000 rw-p 00000000 00:00 0",
            "7f0001000000-7f0001400000 rw-p 00000000 00:00 0                          [heap]",
            "7f0002000000-7f0002400000 r--p 00000000 00:00 0",
            "7f0003000000-7f0003400000 rw-p 00000000 08:01 1234                       /data/model.onnx.data",
            "7f0004000000-7f0004400000 rw-s 00000000 00:00 0",
            "7f0005000000-7f0005400000 rw-p 00000000 00:00 0                          [stack]",
            "7f0006100000-7f00062ff000 rw-p 00000000 00:00 0",
        ];

        Assert.Equal([(0x7f0000200000L, 0x7f0000800000L), (0x7f0001000000L, 0x7f0001400000L)], HugePages.Anonymous(maps));
    }

    [Fact]
    public void HugePages_ChangeNoLogit()
    {
        int[] tokens = [5, 17, 42, 99, 120];
        using DecoderSession plain = DecoderSession.Open(models.TiedOnnx, null), large = DecoderSession.Open(models.TiedOnnx, new() { HugePages = true });
        using CachedDecoder expected = new(plain), actual = new(large);
        expected.Start(8);
        actual.Start(8);
        Assert.Equal(expected.Append(tokens, TestContext.Current.CancellationToken).ToArray(), actual.Append(tokens, TestContext.Current.CancellationToken).ToArray());
        Assert.Equal(expected.Append([7], TestContext.Current.CancellationToken).ToArray(), actual.Append([7], TestContext.Current.CancellationToken).ToArray());
    }
}
