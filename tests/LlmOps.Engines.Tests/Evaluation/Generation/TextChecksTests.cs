using System.Text.Json;
using System.Text.RegularExpressions;
using LlmOps.Engines.Evaluation.Generation;

namespace LlmOps.Engines.Tests.Evaluation.Generation;

public sealed class TextChecksTests
{
    private const string Person = """
        {"type":"object","required":["name"],"additionalProperties":false,
         "properties":{"name":{"type":"string","minLength":1},"age":{"type":"integer","minimum":0},"tags":{"type":"array","items":{"$ref":"#/$defs/tag"},"uniqueItems":true}},
         "$defs":{"tag":{"enum":["a","b"]}}}
        """;

    [Fact]
    public void Texts()
    {
        Assert.Equal((1.0, 0.0), (TextChecks.Equal(" yes\n", "yes"), TextChecks.Equal("Yes", "yes")));
        Assert.Equal((1.0, 0.0, 1.0), (TextChecks.Contains("Hello world", "world"), TextChecks.Contains("Hello World", "world"), TextChecks.ContainsIgnoringCase("Hello World", "world")));
        Assert.Equal((1.0, 0.0), (TextChecks.ContainsAll("a b c", ["a", "c"]), TextChecks.ContainsAll("a b c", ["a", "d"])));
        Assert.Equal((1.0, 0.0), (TextChecks.ContainsAny("a b c", ["x", "C"], ignoreCase: true), TextChecks.ContainsAny("a b c", ["x", "C"])));
        Assert.Equal((1.0, 0.0), (TextChecks.StartsWith("Yes, but", "Yes"), TextChecks.StartsWith("But yes", "Yes")));
        Assert.Equal((1.0, 0.0), (TextChecks.Matches("order 66", @"^\w+ \d+$"), TextChecks.Matches("order", @"\d")));
    }

    [Fact]
    public void Pattern_WithoutEnd_IsAnError() => Assert.Throws<RegexMatchTimeoutException>(() => TextChecks.Matches(new string('a', 40) + "!", "^(a+)+$"));

    [Theory]
    [InlineData("""{"name":"Ada","age":36,"tags":["a","b"]}""", null)]
    [InlineData("""{"name":"Ada","age":36.0}""", null)]
    [InlineData("""{"name":"Ada","age":36.5}""", "/age: is number, expected integer")]
    [InlineData("""{"name":"Ada","age":-1}""", "/age: -1 is outside minimum 0")]
    [InlineData("""{"age":1}""", "\"name\" is missing")]
    [InlineData("""{"name":""}""", "/name: has 0 characters")]
    [InlineData("""{"name":"Ada","height":2}""", "/height: no value is allowed")]
    [InlineData("""{"name":"Ada","tags":["c"]}""", "/tags/0: is none of the listed values")]
    [InlineData("""{"name":"Ada","tags":["a","a"]}""", "/tags: an item is repeated")]
    [InlineData("[]", "the value: is array, expected object")]
    public void Schema_NamesTheFirstProblem(string json, string? problem)
    {
        using var document = JsonDocument.Parse(json);

        var found = JsonSchema.Parse(Person).FirstProblem(document.RootElement);

        if (problem is null)
            Assert.Null(found);
        else
            Assert.Contains(problem, found, StringComparison.Ordinal);
    }

    // Cases of the standard's own definitions, draft 2020-12, section 10 and validation section 6.
    [Theory]
    [InlineData("""{"anyOf":[{"type":"string"},{"minimum":5}]}""", "3", false)]
    [InlineData("""{"anyOf":[{"type":"string"},{"minimum":5}]}""", "7", true)]
    [InlineData("""{"oneOf":[{"multipleOf":3},{"multipleOf":5}]}""", "15", false)]
    [InlineData("""{"oneOf":[{"multipleOf":3},{"multipleOf":5}]}""", "9", true)]
    [InlineData("""{"multipleOf":0.1}""", "0.3", true)]
    [InlineData("""{"not":{"type":"null"}}""", "null", false)]
    [InlineData("""{"if":{"properties":{"k":{"const":1}}},"then":{"required":["a"]},"else":{"required":["b"]}}""", """{"k":1,"b":0}""", false)]
    [InlineData("""{"if":{"properties":{"k":{"const":1}}},"then":{"required":["a"]},"else":{"required":["b"]}}""", """{"k":2,"b":0}""", true)]
    [InlineData("""{"prefixItems":[{"type":"string"}],"items":{"type":"number"}}""", """["x",1,2]""", true)]
    [InlineData("""{"prefixItems":[{"type":"string"}],"items":{"type":"number"}}""", """["x",1,"y"]""", false)]
    [InlineData("""{"contains":{"const":1},"minContains":2,"maxContains":2}""", "[1,2,1]", true)]
    [InlineData("""{"contains":{"const":1},"minContains":2,"maxContains":2}""", "[1,1,1]", false)]
    [InlineData("""{"patternProperties":{"^x":{"type":"number"}},"additionalProperties":{"type":"string"}}""", """{"x1":1,"y":"s"}""", true)]
    [InlineData("""{"patternProperties":{"^x":{"type":"number"}},"additionalProperties":{"type":"string"}}""", """{"x1":"s"}""", false)]
    [InlineData("""{"propertyNames":{"maxLength":2}}""", """{"abc":1}""", false)]
    [InlineData("""{"dependentRequired":{"a":["b"]}}""", """{"a":1}""", false)]
    [InlineData("""{"dependentSchemas":{"a":{"minProperties":2}}}""", """{"a":1,"c":2}""", true)]
    [InlineData("""{"type":["string","null"],"maxLength":2}""", "\"\\ud83d\\ude00\\ud83d\\ude00\"", true)]
    [InlineData("""{"pattern":"^a"}""", "\"ba\"", false)]
    [InlineData("""{"exclusiveMaximum":1e400}""", "5", true)]
    [InlineData("""{"const":1}""", "1.0", true)]
    [InlineData("""{"items":{"$ref":"#"},"type":"array"}""", "[[],[[]]]", true)]
    [InlineData("""{"items":{"$ref":"#"},"type":"array"}""", "[[],[1]]", false)]
    public void Schema_FollowsTheStandard(string schema, string json, bool valid)
    {
        using var document = JsonDocument.Parse(json);
        Assert.Equal(valid, JsonSchema.Parse(schema).FirstProblem(document.RootElement) is null);
    }

    [Theory]
    [InlineData("""{"unevaluatedProperties":false}""", "not checked here")]
    [InlineData("""{"properties":{"a":{"requird":["b"]}}}""", "/properties/a: \"requird\"")]
    [InlineData("""{"$ref":"https://example.com/s"}""", "only references within")]
    [InlineData("""{"$ref":"#/$defs/x"}""", "leads nowhere")]
    [InlineData("""{"pattern":"("}""", "pattern is not valid")]
    [InlineData("""{"required":"a"}""", "is string; expected array")]
    [InlineData("""{"multipleOf":0}""", "above 0")]
    [InlineData("{", "not valid JSON")]
    public void Schema_RefusesWhatItDoesNotCheck(string schema, string why) => Assert.Contains(why, Assert.Throws<ArgumentException>(() => JsonSchema.Parse(schema)).Message, StringComparison.Ordinal);

    [Fact]
    public void Json_IsFoundInText()
    {
        var schema = JsonSchema.Parse(Person);
        const string fenced = "Here [as asked] it is:\n```json\n{\"name\":\"Ada\"}\n```\nDone.";

        Assert.Equal((1.0, 0.0, 0.0), (TextChecks.IsJson("""{"name":"Ada"}""", schema), TextChecks.IsJson(fenced), TextChecks.IsJson("{}", schema)));
        Assert.Equal((1.0, 1.0, 0.0), (TextChecks.ContainsJson(fenced), TextChecks.ContainsJson(fenced, schema), TextChecks.ContainsJson("{\"age\":1} [", schema)));
    }
}
