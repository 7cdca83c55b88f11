using LlmOps.Engines.Evaluation.Detectors;

namespace LlmOps.Engines.Tests.Evaluation.Detectors;

/// <summary>The numbers are the published examples: ISO 13616's IBANs, the card networks' test cards, RFC 5737 and RFC 3849 addresses, 555 telephone numbers.</summary>
public sealed class PersonalDataDetectorTests
{
    [Theory]
    [InlineData("email", "jane.doe+news@mail.example.co.uk")]
    [InlineData("iban", "GB82 WEST 1234 5698 7654 32")]
    [InlineData("iban", "DE89370400440532013000")]
    [InlineData("iban", "NO9386011117947")]
    [InlineData("payment-card", "4111 1111 1111 1111")]
    [InlineData("payment-card", "378282246310005")]
    [InlineData("payment-card", "5555-5555-5555-4444")]
    [InlineData("us-ssn", "078-05-1120")]
    [InlineData("ip-address", "203.0.113.7")]
    [InlineData("ip-address", "2001:db8::8a2e:370:7334")]
    [InlineData("phone", "+44 20 7946 0958")]
    [InlineData("phone", "+4915112345678")]
    [InlineData("phone", "(212) 555-0123")]
    public void Find_GivesKindAndPlace(string kind, string value)
    {
        var text = $"You can reach her at {value}, she said.";

        var span = Assert.Single(PersonalDataDetector.Find(text));

        Assert.Equal((kind, value), (span.Kind, text[span.Start..span.End]));
        Assert.Equal((kind, value), PersonalDataDetector.Find(value) is [var alone] ? (alone.Kind, value[alone.Start..alone.End]) : ("", value));
    }

    [Theory]
    [InlineData("GB83 WEST 1234 5698 7654 32")] // check digits wrong
    [InlineData("4111 1111 1111 1112")] // Luhn's sum wrong
    [InlineData("000-12-3456, 666-12-3456, 912-12-3456, 123-00-4567, 123-45-0000")] // never issued
    [InlineData("127.0.0.1, 0.0.0.0, ::1, 999.1.1.1, 1.2.3.4.5")]
    [InlineData("at 12:30:45 on 2024-05-17, order 1234567890, version 10.0.19041")]
    [InlineData("user@localhost and @handle")]
    [InlineData("0000 0000 0000 0000")]
    public void Find_LeavesTheRestAlone(string text) => Assert.Empty(PersonalDataDetector.Find(text));

    [Fact]
    public void Find_GivesSeveralInOrder() =>
        Assert.Equal(["email", "phone", "payment-card"], PersonalDataDetector.Find("a@b.example, +1 212 555 0123, 4242424242424242").Select(s => s.Kind));

    // Answers come from a model that may repeat itself without end.
    [Theory]
    [InlineData("1")]
    [InlineData(":")]
    [InlineData("a:")]
    [InlineData("a.")]
    [InlineData("a@")]
    [InlineData("+1 ")]
    [InlineData("+1234567890123456789012345678901234567890")]
    [InlineData("[1,")]
    [InlineData("AB12 ")]
    [InlineData("eyJaaaaaaaa-")]
    [InlineData("aws key ")]
    [InlineData("-----BEGIN A ")]
    [InlineData("I can not ")]
    public void Detectors_EndSoon_WhateverIsRepeated(string piece)
    {
        var text = "[" + string.Concat(Enumerable.Repeat(piece, 50_000 / piece.Length));
        var watch = System.Diagnostics.Stopwatch.StartNew();

        PersonalDataDetector.Find(text);
        SecretDetector.Find(text);
        RefusalDetector.Find(text);
        LlmOps.Engines.Evaluation.Rag.RagMetrics.Citations(text);

        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 20);
    }
}
