using LlmOps.Web.Components.Shared;

namespace LlmOps.Web.Tests.Components;

public sealed class DisplayTests
{
    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1024, "1 KiB")]
    [InlineData(12946823, "12.3 MiB")]
    [InlineData(5L << 40, "5 TiB")]
    public void Bytes_AreWrittenInBinaryUnits(long bytes, string text) => Assert.Equal(text, Display.Bytes(bytes));

    [Theory]
    [InlineData(0.25, "0.25 ms")]
    [InlineData(1.84, "1.8 ms")]
    [InlineData(2, "2 ms")]
    [InlineData(9.96, "10 ms")]
    [InlineData(480, "480 ms")]
    [InlineData(3200, "3.2 s")]
    [InlineData(59_400, "59 s")]
    [InlineData(59_600, "1 min")]
    [InlineData(252_480, "4 min 12 s")]
    [InlineData(7_500_000, "2 h 5 min")]
    [InlineData(273_600_000, "3 d 4 h")]
    public void Duration_UsesTheTwoLargestUnits(double ms, string text) => Assert.Equal(text, Display.Duration(ms));

    [Theory]
    [InlineData(1.9, "1.900")]
    [InlineData(218, "218.0")]
    [InlineData(12480, "12480")]
    [InlineData(0.00001234, "1.234e-5")]
    [InlineData(double.NaN, "–")]
    public void Number_KeepsSignificantDigits(double value, string text) => Assert.Equal(text, Display.Number(value));

    [Theory]
    [InlineData(-0.031, "−0.031")]
    [InlineData(12, "+12")]
    [InlineData(0, "±0")]
    public void Signed_AlwaysShowsTheSign(double value, string text) => Assert.Equal(text, Display.Signed(value));

    [Theory]
    [InlineData(10, "just now")]
    [InlineData(120, "2 min ago")]
    [InlineData(7200, "2 h ago")]
    [InlineData(-86400, "in 1 d")]
    public void Relative_SaysHowLongAgo(int secondsAgo, string text)
    {
        var now = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        Assert.Equal(text, Display.Relative(now.AddSeconds(-secondsAgo), now));
    }

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("with, comma", "\"with, comma\"")]
    [InlineData("say \"so\"", "\"say \"\"so\"\"\"")]
    [InlineData("=1+1", "'=1+1")]
    [InlineData(-1.5, "-1.5")]
    public void CsvCell_QuotesAndNeverHoldsAFormula(object value, string cell) => Assert.Equal(cell, CsvText.Cell(value));
}
