using System.Text;
using LlmOps.Lifecycle.Tracking.Search;

namespace LlmOps.Lifecycle.Tests.Tracking.Search;

public sealed class FilterParserTests
{
    [Theory]
    [InlineData("metrics.acc > 0.9", "metrics.acc > 0.9")]
    [InlineData("metric.`val acc` >= 1e-3", "metric.val acc >= 0.001")]
    [InlineData("metrics.\"a/b c\" <= -2", "metrics.a/b c <= -2")]
    [InlineData("params.lr = '0.01' and tags.team != \"core\"", "(params.lr = '0.01' AND tags.team != 'core')")]
    [InlineData("tags.mlflow.source.type ILIKE '%job%'", "tags.mlflow.source.type ILIKE '%job%'")]
    [InlineData("tag.`mlflow.prompt.is_prompt` != 'true'", "tag.mlflow.prompt.is_prompt != 'true'")]
    [InlineData("status = 'FINISHED'", "status = 'FINISHED'")]
    [InlineData("attributes.run_id IN ('a', 'b','c')", "attributes.run_id IN ['a','b','c']")]
    [InlineData("run_id not in ('a')", "run_id NOT IN ['a']")]
    [InlineData("`run name` like 'x%'", "run name LIKE 'x%'")]
    [InlineData("params.note = 'it''s'", "params.note = 'it's'")]
    [InlineData("tags.a IS NULL or tags.b IS NOT NULL", "(tags.a IS NULL OR tags.b IS NOT NULL)")]
    [InlineData("a = 'x' OR b = 'y' AND c = 'z'", "(a = 'x' OR (b = 'y' AND c = 'z'))")]
    [InlineData("(a = 'x' OR b = 'y') AND c = 'z'", "((a = 'x' OR b = 'y') AND c = 'z')")]
    public void Filter_IsReadAsItIsMeant(string text, string meaning) => Assert.Equal(meaning, Show(FilterParser.Parse(text)!));

    [Theory]
    [InlineData("metrics.acc >")]
    [InlineData("metrics.acc 0.9")]
    [InlineData("metrics. > 1")]
    [InlineData("= 'x'")]
    [InlineData("a = 'x' b = 'y'")]
    [InlineData("a = 'x' AND")]
    [InlineData("(a = 'x'")]
    [InlineData("a = 'x')")]
    [InlineData("a = 'never closed")]
    [InlineData("a = x")]
    [InlineData("a IN 'x'")]
    [InlineData("a IN ()")]
    [InlineData("a IN (1, 2)")]
    [InlineData("a = 'x'; DROP TABLE runs")]
    [InlineData("a = 'x' -- comment")]
    [InlineData("metrics.acc > 1e999")]
    [InlineData("a ! 'x'")]
    [InlineData("a = 'x\0'")]
    public void WrongFilter_IsRefused_WithThePlace(string text)
    {
        var refusal = Assert.Throws<LlmOpsException>(() => FilterParser.Parse(text));
        Assert.Equal(ErrorCode.InvalidParameterValue, refusal.Code);
        Assert.Matches("at character [0-9]+", refusal.Message);
    }

    [Fact]
    public void HalfACharacter_IsRefused() => Assert.Throws<LlmOpsException>(() => FilterParser.Parse("a = 'x\ud800'"));

    [Fact]
    public void EmptyFilter_MeansEverything() => Assert.Null(FilterParser.Parse("  "));

    [Fact]
    public void DeepParentheses_AreRefused_BeforeTheStackEnds() =>
        Assert.Throws<LlmOpsException>(() => FilterParser.Parse(new string('(', 20_000) + "a = 'x'" + new string(')', 20_000)));

    [Fact]
    public void TenThousandRandomTexts_AreReadOrRefused_AndNothingOfThemIsInTheStatement()
    {
        var random = new Random(42);
        string[] pieces = ["metrics.", "params.", "tags.", "dataset.", "attributes.", "status", "run_id", "start_time", "zqx", "`zqx y`", "\"zqx\"", "'zqx'' OR 1=1 --'", "'zqx'", "\"zqx;DROP TABLE runs\"", "=", "!=", ">", ">=", "<", "<=", " LIKE ", " ILIKE ",
            " IN ", " NOT IN ", " IS NULL", " AND ", " OR ", "(", ")", ",", "1", "-2.5", "1e9", " ", ";", "--", "/*", "'", "\"", "`", "\0", "é", "\ud83d\ude00", "\ud800", "name", "digest", "end_time"];
        string[] whole = ["metrics.zqx > 1", "params.zqx = 'zqx'", "tags.`zqx` LIKE '%zqx%'", "status = 'zqx'", "run_id IN ('zqx')", "dataset.name ILIKE 'zqx'", "start_time >= 5", "artifact_uri = 'zqx'", "user_id != 'zqx'"];
        var read = 0;
        for (var i = 0; i < 10_000; i++)
        {
            var text = new StringBuilder();
            if (random.Next(2) == 0)
                text.AppendJoin(random.Next(2) == 0 ? " AND " : " or ", Enumerable.Range(0, random.Next(1, 5)).Select(_ => whole[random.Next(whole.Length)]));
            else
                for (var n = random.Next(1, 12); n > 0; n--)
                    text.Append(random.Next(3) == 0 ? whole[random.Next(whole.Length)] + (random.Next(2) == 0 ? " AND " : " OR ") : pieces[random.Next(pieces.Length)]);
            foreach (var postgres in new[] { false, true })
                try
                {
                    if (FilterParser.Parse(text.ToString()) is not { } filter)
                        continue;
                    var driver = (filter is Filter.All all ? all.Parts : [filter]).OfType<Filter.Comparison>().FirstOrDefault(RunDrivers.CanDrive);
                    var sql = new RunStatement(postgres, new([Guid.NewGuid()]), filter, i % 2 == 0 ? [new("params", "zqx", true)] : [], driver is null ? null : new(driver, i % 3 == 0), null).Text();
                    read++;
                    Assert.DoesNotContain("zqx", sql, StringComparison.OrdinalIgnoreCase);
                    Assert.DoesNotContain(";", sql, StringComparison.Ordinal);
                    Assert.DoesNotContain("--", sql, StringComparison.Ordinal);
                }
                catch (LlmOpsException e)
                {
                    Assert.True(e.Code == ErrorCode.InvalidParameterValue, $"{text}: {e.Code} {e.Message}");
                }
        }
        Assert.True(read > 2000, $"Only {read} of the random texts were filters: the test does not see enough statements.");
    }

    private static string Show(Filter filter) => filter switch
    {
        Filter.All all => "(" + string.Join(" AND ", all.Parts.Select(Show)) + ")",
        Filter.Any any => "(" + string.Join(" OR ", any.Parts.Select(Show)) + ")",
        Filter.Comparison c => $"{(c.Entity is null ? "" : c.Entity + ".")}{c.Key} {c.Operator.Text()} {Show(c.Value)}".TrimEnd(),
        _ => "?",
    };

    private static string Show(FilterValue value) => value switch
    {
        { Text: { } text } => $"'{text}'",
        { Number: { } number } => number.ToString(System.Globalization.CultureInfo.InvariantCulture),
        { List: { } list } => "[" + string.Join(",", list.Select(v => $"'{v}'")) + "]",
        _ => "",
    };
}
