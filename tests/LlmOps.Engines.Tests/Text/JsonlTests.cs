using System.Text;
using LlmOps.Engines.Text;

namespace LlmOps.Engines.Tests.Text;

public sealed class JsonlTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    private string Path => folder.At("rows.jsonl");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void ReadInstructions_GivesBackWhatWasWritten()
    {
        PromptCompletion[] rows = [new("Define \"naïve\".", "lacking\nexperience 👍", "naïve"), new("b", "c", "d")];

        Jsonl.Write(Path, rows);

        Assert.Equal(rows, Jsonl.ReadInstructions(Path));
    }

    [Fact]
    public void ReadPreferences_ReadsSnakeCaseNames()
    {
        File.WriteAllText(Path, """{"prompt":"p","chosen":"c","rejected":"r","headword":"h","rejected_kind":"wrong"}""");

        Assert.Equal([new PreferenceExample("p", "c", "r", "h", "wrong")], Jsonl.ReadPreferences(Path));
    }

    [Fact]
    public void Read_CountsLines_ThroughMarksBlankLinesAndWindowsEnds()
    {
        File.WriteAllText(Path, "\uFEFF{\"text\":\"a\",\"headword\":\"x\"}\r\n\r\n{\"text\":\"b\",\"headword\":\"y\"}", new UTF8Encoding(false));

        Assert.Equal([(1, "a"), (3, "b")], Jsonl.Read(Path).Select(r => (r.Line, r.Text("text"))));
    }

    [Fact]
    public void Read_ReadsLines_LongerThanTheBuffer()
    {
        var text = new string('x', 200_000);
        Jsonl.Write(Path, Enumerable.Range(0, 3).Select(i => new CorpusText(text + i, "h")));

        Assert.Equal([text + 0, text + 1, text + 2], Jsonl.ReadCorpus(Path).Select(r => r.Text));
    }

    [Theory]
    [InlineData("{\"text\":\"b\"", "Line 2: not valid JSON")]
    [InlineData("[1]", "Line 2: expected a JSON object, found array.")]
    [InlineData("{\"text\":\"b\"}", "Line 2: the field \"headword\" is missing.")]
    [InlineData("{\"text\":7,\"headword\":\"h\"}", "Line 2: the field \"text\" is number, not text.")]
    [InlineData("{\"text\":\" \",\"headword\":\"h\"}", "Line 2: the field \"text\" is empty.")]
    [InlineData("{\"text\":\"\\ud800\",\"headword\":\"h\"}", "Line 2: the field \"text\" holds half of a surrogate pair.")]
    public void ReadCorpus_NamesLineAndReason(string line, string message)
    {
        File.WriteAllText(Path, "{\"text\":\"a\",\"headword\":\"x\"}\n" + line + "\n");

        var error = Assert.Throws<InvalidDatasetException>(() => Jsonl.ReadCorpus(Path).ToList());

        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
        Assert.Equal(2, error.Line);
    }

    [Fact]
    public void Read_RefusesBytes_ThatAreNoUtf8()
    {
        File.WriteAllBytes(Path, [.. "{\"text\":\""u8, 0xFF, .. "\"}"u8]);

        Assert.Equal("Line 1: the bytes are not valid UTF-8.", Assert.Throws<InvalidDatasetException>(() => Jsonl.Read(Path).Count()).Message);
    }

    [Fact]
    public void ReadPreferences_RefusesEqualAnswers()
    {
        Jsonl.Write(Path, [new PreferenceExample("p", "same", "same", "h", "wrong")]);

        Assert.Contains("no preference to learn", Assert.Throws<InvalidDatasetException>(() => Jsonl.ReadPreferences(Path).ToList()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ReadLeniently_PutsBadRowsAside()
    {
        File.WriteAllText(Path, "{\"text\":\"a\",\"headword\":\"x\"}\nnonsense\n{\"text\":\"b\",\"headword\":\"y\"}\n");

        var rows = Jsonl.ReadLeniently(Path, CorpusText.From).ToList();

        Assert.Equal(["a", null, "b"], rows.Select(r => r.Row?.Text));
        Assert.Equal([null, 2, null], rows.Select(r => r.Problem?.Line));
    }
}
