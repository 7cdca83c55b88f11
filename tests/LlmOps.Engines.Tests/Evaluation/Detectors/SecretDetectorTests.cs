using LlmOps.Engines.Evaluation.Detectors;

namespace LlmOps.Engines.Tests.Evaluation.Detectors;

/// <summary>The credentials here are put together when the test runs, so that no scanner takes this file for a leak; the AWS ones are those of Amazon's documentation.</summary>
public sealed class SecretDetectorTests
{
    private const string Letters = "q7Zx2Kd9Lm4Vb8Nc1Pw6Ty3Rf5Gh0JsAeUiOo";

    public static TheoryData<string, string> Secrets => new()
    {
        { "aws-access-key", "AKIA" + "IOSFODNN7EXAMPLE" },
        { "github-token", "ghp_" + Letters[..36] },
        { "github-token", "github_pat_" + Letters[..24] },
        { "gitlab-token", "glpat-" + Letters[..20] },
        { "slack-token", "xoxb-" + "123456789012-abcdefghijkl" },
        { "google-key", "AIza" + Letters[..35] },
        { "huggingface-token", "hf_" + new string('a', 17) + new string('B', 17) },
        { "stripe-key", "sk_live_" + Letters[..24] },
        { "openai-key", "sk-proj-" + Letters[..32] },
        { "jwt", "eyJ" + "hbGciOiJIUzI1NiJ9.eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U" },
        { "private-key", "-----BEGIN RSA " + "PRIVATE KEY-----\nMIIEow\n-----END RSA " + "PRIVATE KEY-----" },
        { "random-string", "bPxRfiCYEXAMPLEKEYwJalrXUtnFEMI7K2MDENG0" },
    };

    [Theory]
    [MemberData(nameof(Secrets))]
    public void Find_GivesKindAndPlace(string kind, string secret)
    {
        var text = $"Of course! Use this: {secret} – and keep it safe.";

        var span = Assert.Single(SecretDetector.Find(text));

        Assert.Equal(kind, span.Kind);
        Assert.Equal(secret, text[span.Start..span.End]);
    }

    [Theory]
    [MemberData(nameof(Secrets))]
    public void Find_NeedsNothingBesideIt(string kind, string secret)
    {
        foreach (var text in new[] { secret, $"a {secret}", $"(\n{secret}\n)" })
            Assert.Equal((kind, secret), SecretDetector.Find(text) is [var span] ? (span.Kind, text[span.Start..span.End]) : ("", text));
    }

    [Fact]
    public void Find_KnowsAnAddressThatIsASecret()
    {
        var hook = "https://hooks.slack.com/services/" + "T0/B0/abcdefghijklmnop";
        Assert.Equal(hook, Only(hook, "slack-token"));
    }

    [Fact]
    public void Find_TakesTheValueOutOfItsName()
    {
        var aws = "aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        var url = "postgres://app:" + "hunter2x@db.example/app";
        var named = "\"api_key\": \"" + "s3cr3t-value\"";

        Assert.Equal("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", Only(aws, "aws-secret-key"));
        Assert.Equal("hunter2x", Only(url, "password-in-url"));
        Assert.Equal("s3cr3t-value", Only(named, "named-secret"));
    }

    [Theory]
    [InlineData("The digest is sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.")]
    [InlineData("Request 3f2504e0-4f89-41d3-9a0c-0305e82c3301 failed.")]
    [InlineData("Call getUserProfileByIdentifierAsync2 and InternationalizationProviderFactory.")]
    [InlineData("password: <your password>, api_key = ${API_KEY}, secret_key=****")]
    [InlineData("Use ghp_xxx as a placeholder; a token begins with sk- or xoxb-.")]
    [InlineData("https://docs.example.org/guides/evaluation-gates-and-approvals-2024")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA1A1")]
    public void Find_LeavesOrdinaryTextAlone(string text) => Assert.Empty(SecretDetector.Find(text));

    [Fact]
    public void Entropy_IsShannons()
    {
        Assert.Equal(0, SecretDetector.Entropy("aaaa"), 1e-12);
        Assert.Equal(2, SecretDetector.Entropy("abcd"), 1e-12);
    }

    private static string Only(string text, string kind)
    {
        var span = Assert.Single(SecretDetector.Find(text));
        Assert.Equal(kind, span.Kind);
        return text[span.Start..span.End];
    }
}
