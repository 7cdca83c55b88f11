using LlmOps.Engines.Text.Tokenization;

namespace LlmOps.Engines.Tests.Text;

public sealed class WordScannersTests
{
    public static TheoryData<string> Patterns => [.. WordScanners.ByPattern.Keys];

    // The scanners are a faster way to do what the pattern says.
    [Theory]
    [MemberData(nameof(Patterns))]
    public void Scanner_CutsAsThePatternDoes(string pattern)
    {
        var scanner = new ScannerPattern(WordScanners.ByPattern[pattern]);
        var regex = OnigurumaPattern.ParseRegex(pattern, "pattern");
        var random = new Random(5);
        for (var round = 0; round < 4000; round++)
        {
            var text = RandomTexts.Next(random);
            Assert.Equal(Parts(regex, text), Parts(scanner, text));
        }
    }

    [Theory]
    [InlineData("(a", "pattern: the regular expression '(a' has a group that is not closed at position 2.")]
    [InlineData("a)", "pattern: the regular expression 'a)' has an unmatched ')' at position 1.")]
    [InlineData("[a", "pattern: the regular expression '[a' has a set that is not closed at position 2.")]
    [InlineData("[z-a]", "pattern: the regular expression '[z-a]' has a range whose end is before its start at position 4.")]
    [InlineData("*a", "pattern: the regular expression '*a' has a quantifier without something to repeat at position 0.")]
    [InlineData("a\\", "pattern: the regular expression 'a\\' has a backslash at its end at position 2.")]
    public void Parse_NamesThePlace_WhenThePatternIsBroken(string pattern, string message) =>
        Assert.Equal(message, Assert.Throws<InvalidModelException>(() => OnigurumaPattern.Parse(pattern, "pattern")).Message);

    [Theory]
    [InlineData(@"\p{Cyrillic}+", "the property 'Cyrillic'")]
    [InlineData(@"[[:alpha:]]", "the set '[:alpha:]'")]
    [InlineData(@"(a)\1", @"\1")]
    [InlineData(@"\X", @"\X")]
    [InlineData(@"(?x: a )", "the group '(?x: …'")]
    [InlineData("[\U00020000-\U0002A6DF]", "characters beyond U+FFFF")]
    public void Parse_RefusesByName_WhatHasNoCounterpart(string pattern, string what) =>
        Assert.Equal($"pattern: the regular expression '{pattern}' uses {what}, which is not supported.", Assert.Throws<UnsupportedModelException>(() => OnigurumaPattern.Parse(pattern, "pattern")).Message);

    private static List<(int, int, bool)> Parts(TextPattern pattern, string text)
    {
        var parts = new List<(int, int, bool)>();
        if (text.Length > 0)
            pattern.Find(text, parts);
        return parts;
    }
}
