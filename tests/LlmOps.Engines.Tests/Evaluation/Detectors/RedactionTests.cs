using LlmOps.Engines.Evaluation.Detectors;

namespace LlmOps.Engines.Tests.Evaluation.Detectors;

public sealed class RedactionTests
{
    [Fact]
    public void WhatWasFound_IsHiddenWhole_AndTheRestStays()
    {
        // made up, in the form of the real thing
        const string token = "ghp_0123456789abcdefghijABCDEFGHIJ012345", mail = "ann@example.org";
        var text = $"Use {token} or write to {mail}.";
        var masked = Redaction.Mask(text, PersonalDataDetector.Find(text).Concat(SecretDetector.Find(text)));
        Assert.Equal("Use [github-token hidden, 40 characters] or write to [email hidden, 15 characters].", masked);
        Assert.Equal("nothing here", Redaction.Mask("nothing here", []));
    }

    [Fact]
    public void PlacesThatOverlap_AreHiddenTogether() =>
        Assert.Equal("a[x hidden, 5 characters]g", Redaction.Mask("abcdefg", [new(3, 3, "y"), new(1, 4, "x"), new(2, 1, "z")]));

    [Fact]
    public void APlaceOutsideOfTheText_IsRefused() => Assert.Throws<ArgumentException>(() => Redaction.Mask("abc", [new(2, 5, "x")]));
}
