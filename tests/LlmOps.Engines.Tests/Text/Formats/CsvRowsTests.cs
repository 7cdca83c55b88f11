using System.Text;
using System.Text.Json;
using LlmOps.Engines.Text;
using LlmOps.Engines.Text.Formats;

namespace LlmOps.Engines.Tests.Text.Formats;

public sealed class CsvRowsTests
{
    private static readonly string[] Columns = ["prompt", "completion", "label"];

    private static async Task<string> JsonlAsync(string csv, params string[] values)
    {
        using var jsonl = new MemoryStream();
        await CsvRows.WriteJsonlAsync(new MemoryStream(Encoding.UTF8.GetBytes(csv)), jsonl, values, TestContext.Current.CancellationToken);
        return Encoding.UTF8.GetString(jsonl.ToArray());
    }

    private static MemoryStream Stream(string text) => new(Encoding.UTF8.GetBytes(text));

    [Theory]
    [InlineData("prompt,completion\na,b\n", true)]
    [InlineData("\uFEFF\"prompt\",\"completion\"\r\na,b\r\n", true)]
    [InlineData("id,label,note", true)]
    [InlineData("{\"prompt\": \"a, completion\"}\n", false)]
    [InlineData("first,second\n", false)]
    [InlineData("", false)]
    public void Header_IsKnownByItsColumns(string beginning, bool expected) => Assert.Equal(expected, CsvRows.HasHeader(Encoding.UTF8.GetBytes(beginning), Columns));

    [Fact]
    public async Task QuotedFields_HoldCommasQuotesAndLineBreaks()
    {
        var jsonl = await JsonlAsync("prompt,completion\r\n\"a, b\",\"he said \"\"no\"\"\nand left\"\r\nplain,\r\n");

        Assert.Equal("{\"prompt\":\"a, b\",\"completion\":\"he said \\\"no\\\"\\nand left\"}\n{\"prompt\":\"plain\",\"completion\":\"\"}\n", jsonl);
    }

    [Fact]
    public async Task Values_AreJson_AndTextThatLooksLikeANumberStaysText()
    {
        var jsonl = await JsonlAsync("prompt,label,features\n12,True,\"[1, 2.5]\"\n13,false,\"[]\"\n14,maybe,x\n", "label", "features");

        Assert.Equal("{\"prompt\":\"12\",\"label\":true,\"features\":[1, 2.5]}\n{\"prompt\":\"13\",\"label\":false,\"features\":[]}\n{\"prompt\":\"14\",\"label\":\"maybe\",\"features\":\"x\"}\n", jsonl);
    }

    [Fact]
    public async Task ValuesThatWereWrittenOverSeveralLines_StayOneRow()
    {
        var jsonl = await JsonlAsync("prompt,features\n12,\"[\r\n  1,\n  2\n]\"\n", "features");

        Assert.Equal("{\"prompt\":\"12\",\"features\":[    1,   2 ]}\n", jsonl);
    }

    [Theory]
    [InlineData("{\"a, \\\"b\\\"\":\"x\",\"c\\nd\":\"y\"}\n")]
    [InlineData("{\"text\":\"\\r\"}\n{\"text\":\" \"}\n{\"text\":\"\\\"\"}\n")]
    [InlineData("{\"text\":\"\",\"other\":\"\"}\n")]
    [InlineData("{\"text\":\"\"}\n{\"text\":\"last\"}\n")]
    [InlineData("{\"text\":\"a\\u2028b\"}\n{\"text\":\"c;d\\te\"}\n")]
    public async Task OddTexts_AndOddNames_ComeBackAsTheyWere(string rows)
    {
        using var csv = new MemoryStream();
        await CsvRows.FromJsonlAsync(Stream(rows), csv, TestContext.Current.CancellationToken);
        var back = await JsonlAsync(Encoding.UTF8.GetString(csv.ToArray()));

        static string Plain(string lines) => string.Join('\n', lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonSerializer.Serialize(JsonSerializer.Deserialize<JsonElement>(l))));
        Assert.Equal(Plain(rows), Plain(back));
    }

    [Theory]
    [InlineData("prompt,completion\na,b,c\n")]
    [InlineData("prompt,completion\na\n")]
    [InlineData("prompt,prompt\na,b\n")]
    public async Task BrokenFiles_AreRefused(string csv)
    {
        var refusal = await Assert.ThrowsAsync<InvalidDatasetException>(() => JsonlAsync(csv));

        Assert.Contains("the CSV file cannot be read after 0 rows", refusal.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task BytesThatAreNoUtf8_AreRefused()
    {
        byte[] latin = [.. "prompt,completion\na,"u8, 0xE9, (byte)'\n'];

        await Assert.ThrowsAsync<InvalidDatasetException>(() => CsvRows.WriteJsonlAsync(new MemoryStream(latin), new MemoryStream(), [], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Rows_ComeBackFromCsv_AsTheyWere()
    {
        const string rows = "{\"prompt\":\"a, \\\"b\\\"\\nc\",\"label\":true,\"features\":[1,2.5]}\n{\"prompt\":\"ünï\",\"label\":false,\"features\":[3]}\n";
        using var csv = new MemoryStream();

        Assert.Equal(2, await CsvRows.FromJsonlAsync(Stream(rows), csv, TestContext.Current.CancellationToken));

        Assert.Equal(rows, await JsonlAsync(Encoding.UTF8.GetString(csv.ToArray()), "label", "features"));
    }

    [Fact]
    public async Task Rows_ComeBackFromParquet_AsTheyWere()
    {
        const string rows = "{\"prompt\":\"a, \\\"b\\\"\\nc\",\"label\":true,\"features\":[1,2.5]}\n{\"prompt\":\"ünï\",\"label\":false,\"features\":[3]}\n";
        using var parquet = new MemoryStream();
        Assert.Equal(2, await ParquetRows.FromJsonlAsync(Stream(rows), parquet, TestContext.Current.CancellationToken));
        using var back = new MemoryStream();
        parquet.Position = 0;

        Assert.Equal(2, await ParquetRows.WriteJsonlAsync(parquet, back, TestContext.Current.CancellationToken));

        var lines = Encoding.UTF8.GetString(back.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(rows.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonDocument.Parse(l).RootElement), lines.Select(l => JsonDocument.Parse(l).RootElement), JsonElement.DeepEquals);
    }

    [Fact]
    public async Task Parquet_OfMoreRowsThanAGroup_HoldsThemAll()
    {
        var rows = new StringBuilder();
        for (var i = 0; i < 10_001; i++)
            rows.Append("{\"text\":\"row ").Append(i).Append("\"}\n");
        using var parquet = new MemoryStream();
        await ParquetRows.FromJsonlAsync(Stream(rows.ToString()), parquet, TestContext.Current.CancellationToken);
        using var back = new MemoryStream();
        parquet.Position = 0;

        Assert.Equal(10_001, await ParquetRows.WriteJsonlAsync(parquet, back, TestContext.Current.CancellationToken));

        Assert.EndsWith("{\"text\":\"row 10000\"}\n", Encoding.UTF8.GetString(back.ToArray()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"messages\":[{\"role\":\"user\"}]}\n", "holds objects")]
    [InlineData("{\"text\":\"a\"}\n{\"text\":1}\n", "another type")]
    [InlineData("{\"text\":\"a\"}\n{\"text\":\"b\",\"more\":1}\n", "which the first row lacks")]
    [InlineData("", "no row")]
    public async Task WhatParquetCannotHold_IsRefusedByName(string rows, string expected)
    {
        var refusal = await Assert.ThrowsAsync<InvalidDatasetException>(() => ParquetRows.FromJsonlAsync(Stream(rows), new MemoryStream(), TestContext.Current.CancellationToken));

        Assert.Contains(expected, refusal.Reason, StringComparison.Ordinal);
    }
}
