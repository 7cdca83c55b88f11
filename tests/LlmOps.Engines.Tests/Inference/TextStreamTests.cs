using System.Text;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Text;

namespace LlmOps.Engines.Tests.Inference;

public sealed class TextStreamTests
{
    [Fact]
    public void Push_GivesOnlyWholeCharacters_WhenTheyAreSplitOverTokens()
    {
        var stream = Bytes();

        var parts = Encoding.UTF8.GetBytes("aé–😀b").Select(b => stream.Push(b).Text).ToList();

        Assert.Equal(["a", "", "é", "", "", "–", "", "", "", "😀", "b"], parts);
        Assert.Equal(("", false), stream.Flush());
    }

    [Fact]
    public void Push_GoesOn_WhenBytesAreNoText()
    {
        var stream = Bytes();

        var text = string.Concat(new byte[] { 0x61, 0xFF, 0xC3, 0x62, 0xE2, 0x80 }.Select(b => stream.Push(b).Text)) + stream.Flush().Text;

        Assert.Equal("a\uFFFD\uFFFDb\uFFFD", text);
    }

    [Fact]
    public void Push_HoldsBackWhatCouldBecomeAStopText()
    {
        var stream = Bytes("END", "##");

        var parts = "xEN#yEND"u8.ToArray().Select(b => stream.Push(b)).ToList();

        Assert.Equal(["x", "", "", "EN", "#y", "", "", ""], parts.Select(p => p.Text));
        Assert.True(parts[^1].Stopped);
    }

    [Fact]
    public void Flush_GivesWhatWasHeldBack_WhenNoStopTextCame()
    {
        var stream = Bytes("END");

        Assert.Equal("aE", stream.Push('a').Text + stream.Push('E').Text + stream.Flush().Text);
    }

    // One token per byte: the hardest case for characters of several bytes.
    private static TextStream Bytes(params string[] stops) => new(new IncrementalDecoder((id, _) => [(byte)id], _ => false, false), stops);
}
