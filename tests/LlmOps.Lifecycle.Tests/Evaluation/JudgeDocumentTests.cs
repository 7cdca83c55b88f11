using LlmOps.Lifecycle.Evaluation.Judges;
using LlmOps.TestKit;

namespace LlmOps.Lifecycle.Tests.Evaluation;

public abstract class JudgeDocumentTests(DatabaseProvider provider) : ProductTests(provider)
{
    private const string Plain = "name: critic\nkind: openai\nendpoint: http://127.0.0.1:1/v1/\nmodel: m\ncriteria: usefulness\n";

    [Fact]
    public async Task TheSameContent_IsTheSameVersion_AndAnotherPromptIsAnotherJudge()
    {
        var first = await Get<SaveJudge>().SaveAsync(Plain, Product.Alice);
        Assert.Equal((1, true), (first.Number, first.IsNew));
        Assert.Equal(first with { IsNew = false }, await Get<SaveJudge>().SaveAsync("# a comment\n" + Plain, Product.Alice));
        Assert.Equal(2, (await Get<SaveJudge>().SaveAsync(Plain + "temperature: 0.5\n", Product.Alice)).Number);
        Assert.Equal(["save judge", "save judge"], await Product.AuditAsync());
        await RefusedAsync(ErrorCode.PermissionDenied, () => Get<SaveJudge>().SaveAsync(Plain, Product.Victor));
    }

    [Fact]
    public async Task ALocalJudge_IsPinnedByItsBytes()
    {
        await Product.VersionAsync("judge-lm", "fp32");
        const string yaml = "name: own\nkind: local\nversion: judge-lm/1\nvariant: fp32\nmode: score\ncriteria: short\n";
        var saved = await Get<SaveJudge>().SaveAsync(yaml, Product.Alice);
        Assert.Equal(64, saved.Digest.Length);
        Assert.Contains("int8", await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<SaveJudge>().SaveAsync(yaml.Replace("fp32", "int8", StringComparison.Ordinal), Product.Alice)), StringComparison.Ordinal);
    }
}

public sealed class JudgeDocumentOnSqlite() : JudgeDocumentTests(DatabaseProvider.Sqlite);

public sealed class JudgeDocumentOnPostgres() : JudgeDocumentTests(DatabaseProvider.Postgres);

public sealed class JudgeTextTests
{
    [Theory]
    [InlineData("name: X\nkind: openai\nendpoint: http://h/v1\nmodel: m\ncriteria: c", "lower-case letters")]
    [InlineData("name: x\nkind: oracle\ncriteria: c", "'oracle' is no kind of judge")]
    [InlineData("name: x\nkind: openai\nendpoint: ftp://h\nmodel: m\ncriteria: c", "an http or https address")]
    [InlineData("name: x\nkind: openai\nendpoint: http://user:pw@h/v1\nmodel: m\ncriteria: c", "no password")]
    [InlineData("name: x\nkind: openai\nendpoint: http://h/v1\nmodel: m", "say what makes an answer good")]
    [InlineData("name: x\nkind: openai\nendpoint: http://h/v1\nmodel: m\ncriteria: c\napi_key: sk-12345", "not the key")]
    [InlineData("name: x\nkind: openai\nendpoint: http://h/v1\nmodel: m\ncriteria: c\nsamples: 3", "set a 'temperature'")]
    [InlineData("name: x\nkind: openai\nendpoint: http://h/v1\nmodel: m\ncriteria: c\nprompt: \"which? {{ answer_a }}\"", "{{ answer_b }}")]
    [InlineData("name: x\nkind: local\nversion: lm\nvariant: fp32\ncriteria: c", "version")]
    [InlineData("name: x\nkind: local\nversion: lm/1\nvariant: fp32\ncriteria: c\nendpoint: http://h", "nothing leaves this machine")]
    [InlineData("name: x\nkind: openai\nendpoint: http://h/v1\nmodel: m\ncriteria: c\ntempo: 1", "a judge has no 'tempo'")]
    public void AProblem_IsSaidWithItsPlace(string yaml, string says) =>
        Assert.Contains(says, Assert.Throws<LlmOpsException>(() => JudgeDocument.Parse(yaml)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"verdict":"A"}""", 1)]
    [InlineData("""Let me see {"verdict": "A"}? No: {"reason":"x {y}", "verdict":" b "}""", 0)]
    [InlineData("```json\n{\"verdict\": \"tie\"}\n```", 0.5)]
    public void TheLastVerdict_Counts(string reply, double preference) => Assert.Equal(preference, JudgeReply.Preference(reply));

    [Theory]
    [InlineData("")]
    [InlineData("A is better.")]
    [InlineData("""{"verdict": "C"}""")]
    [InlineData("""{"verdict": 1}""")]
    [InlineData("""{"verdict": "A" """)]
    public void WithoutAVerdict_ThereIsNone(string reply) => Assert.Throws<ArgumentException>(() => JudgeReply.Preference(reply));

    [Fact]
    public void AScore_IsOnTheScale()
    {
        Assert.Equal(4, JudgeReply.Score("""{"score": "4"}""", 5));
        Assert.Throws<ArgumentException>(() => JudgeReply.Score("""{"score": 6}""", 5));
        Assert.Throws<ArgumentException>(() => JudgeReply.Score("""{"score": 0}""", 5));
    }
}
