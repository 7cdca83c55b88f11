using System.Text;
using System.Text.Json;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Text;

namespace LlmOps.Engines.Tests.Inference.Constraints;

public sealed class OutputGrammarTests
{
    private static readonly Tokenizer Tokens = new BpeTrainer(900, 1).Train(
    [
        """{"name": "Anna", "age": 31, "tags": ["a", "b"], "nested": {"value": null, "ok": true, "no": false}}""",
        """{"answer":"yes","score":0.75,"reason":"the quick brown fox","items":[{"id":1},{"id":2}],"kind":"circle","radius":1.5e3}""",
        "日本語 naïve café \\u00e9 \\n 2024-05-17T10:20:30Z 123e4567-e89b-12d3-a456-426614174000",
    ]);

    public static TheoryData<string> Schemas { get; } = new(
        """{"type":"object"}""",
        "true",
        """{"type":["string","null"]}""",
        """{"type":"object","properties":{"name":{"type":"string","maxLength":5},"age":{"type":"integer","minimum":0,"maximum":130},"tags":{"type":"array","items":{"type":"string","minLength":1},"minItems":1,"maxItems":3}},"required":["name","tags"]}""",
        """{"type":"object","properties":{"a":{"type":"boolean"},"b":{"type":"null"},"c":{"const":[1,{"x":"é"}]}},"additionalProperties":{"type":"integer"}}""",
        """{"type":"object","properties":{"a":{"type":"boolean"}},"required":["z"],"additionalProperties":true}""",
        """{"enum":["red","green",3,null,{"a":[1,2]},"quote\" and \\ and \n"]}""",
        """{"type":"string","enum":["one",1,"two"]}""",
        """{"$ref":"#/$defs/tree","$defs":{"tree":{"type":"object","properties":{"value":{"type":"integer"},"left":{"$ref":"#/$defs/tree"},"right":{"anyOf":[{"$ref":"#/$defs/tree"},{"type":"null"}]}},"required":["value","right"],"additionalProperties":false}}}""",
        """{"anyOf":[{"type":"object","properties":{"kind":{"const":"circle"},"radius":{"type":"number","exclusiveMinimum":0}},"required":["kind","radius"]},{"type":"object","properties":{"kind":{"const":"square"},"side":{"type":"number","minimum":-2.5,"maximum":12.25}},"required":["kind","side"]}]}""",
        """{"allOf":[{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]},{"properties":{"a":{"maxLength":3},"b":{"type":"integer"}},"required":["b"]}]}""",
        """{"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"integer"}},"anyOf":[{"required":["a"]},{"required":["b"]}]}""",
        """{"type":"array","prefixItems":[{"type":"integer"},{"type":"string","pattern":"^[a-c]+$"}],"items":{"type":"boolean"},"minItems":1,"maxItems":4}""",
        """{"type":"array","items":{"type":"array","items":{"type":"integer","minimum":-7,"exclusiveMaximum":12},"minItems":2,"maxItems":2},"minItems":2}""",
        """{"type":"string","pattern":"^(?:[A-Z]{2,3}-\\d+| ?x[a-zé]y)$","maxLength":8,"minLength":4}""",
        """{"type":"string","pattern":"[b-d][^a-y]"}""",
        """{"type":"object","properties":{"d":{"format":"date"},"t":{"type":"string","format":"date-time"},"u":{"type":"string","format":"uuid"}},"required":["d","t","u"]}""",
        """{"type":"number","minimum":0,"maximum":1}""",
        """{"type":"number","exclusiveMinimum":-0.05,"exclusiveMaximum":0.05}""",
        """{"type":"number","exclusiveMaximum":-3}""",
        """{"type":"integer","minimum":-120,"maximum":-13}""",
        """{"type":"integer","exclusiveMinimum":998,"maximum":20003}""");

    [Theory]
    [MemberData(nameof(Schemas))]
    public void EveryWalk_EndsInAValueThatSatisfiesTheSchema(string schema)
    {
        var walk = new ConstrainedWalk(Tokens, new Random(schema.Length));
        var root = JsonDocument.Parse(schema).RootElement;
        foreach (var whitespace in new[] { true, false })
        {
            var grammar = OutputGrammar.FromSchema(schema, whitespace);
            for (var round = 0; round < 20; round++)
            {
                var text = walk.Run(grammar);
                Assert.True(text is not null, schema);
                Assert.True(SchemaCheck.IsValid(root, JsonDocument.Parse(text).RootElement, root), $"{schema} gave {text}");
            }
        }
    }

    // The mask is computed by parts and from caches; here each token is asked about alone.
    [Theory]
    [MemberData(nameof(Schemas))]
    public void Apply_AllowsExactlyTheTokensThatAcceptTakes(string schema)
    {
        var random = new Random(5);
        var walk = new ConstrainedWalk(Tokens, random);
        var grammar = OutputGrammar.FromSchema(schema);
        for (var round = 0; round < 3; round++)
        {
            var constraint = grammar.Start(walk.Trie);
            for (var step = 0; step < 25 && !constraint.IsOver; step++)
            {
                var allowed = walk.Allowed(constraint);
                Assert.Equal(allowed, Enumerable.Range(0, Tokens.VocabularySize).Where(t => Takes(constraint, t)));
                constraint.Accept(allowed[random.Next(allowed.Count)]);
            }
        }
    }

    [Theory]
    [InlineData("""{"type":"object"}""", """{"a": [1, -0.5e+10, "x\u00e9\ud83d\ude00\n"], "b": {}}""", true)]
    [InlineData("""{"type":"object"}""", """{"a": "\ud83d"}""", false)]
    [InlineData("""{"type":"object"}""", """{"a": 01}""", false)]
    [InlineData("""{"type":"object"}""", """{"a": 1,}""", false)]
    [InlineData("""{"type":"object"}""", """[1]""", false)]
    [InlineData("""{"type":"object"}""", "{\n  \"a\": 1,\n  \"b\": \"é日😀\"\n}", true)]
    [InlineData("""{"type":"object","properties":{"a":{},"b":{}}}""", """{"b": 1}""", true)]
    [InlineData("""{"type":"object","properties":{"a":{},"b":{}}}""", """{"c": 1}""", false)]
    [InlineData("""{"type":"object","properties":{"a":{}},"required":["a"]}""", """{}""", false)]
    [InlineData("""{"type":"object","properties":{"ab":{"type":"null"}},"additionalProperties":true}""", """{"a": 1, "abc": 2}""", true)]
    [InlineData("""{"type":"object","properties":{"ab":{"type":"null"}},"additionalProperties":true}""", """{"ab": 1}""", false)]
    [InlineData("""{"type":"string","maxLength":2}""", "\"😀é\"", true)]
    [InlineData("""{"type":"string","maxLength":2}""", "\"abc\"", false)]
    [InlineData("""{"type":"string","minLength":3000}""", "\"abc\"", false)]
    [InlineData("""{"type":"string","pattern":"^.{3}$"}""", "\"a\\\"é\"", true)]
    [InlineData("""{"type":"string","pattern":"^\\s\\w\\D$"}""", "\"\u3000_é\"", true)]
    [InlineData("""{"type":"integer","minimum":10,"maximum":29}""", "9", false)]
    [InlineData("""{"type":"integer","minimum":10,"maximum":29}""", "29", true)]
    [InlineData("""{"type":"integer","minimum":10,"maximum":29}""", "100", false)]
    [InlineData("""{"type":"number","minimum":0.25}""", "0.249", false)]
    [InlineData("""{"type":"number","minimum":0.25}""", "0.25", true)]
    [InlineData("""{"type":"number","minimum":0.25}""", "12.5", true)]
    [InlineData("""{"type":"number","minimum":0.25}""", "-1", false)]
    [InlineData("""{"enum":[1.0,2],"type":"integer"}""", "1.0", true)]
    public void Accepts_WhatTheSchemaSays(string schema, string text, bool expected) =>
        Assert.Equal(expected, new ConstrainedWalk(Tokens, new Random(1)).Accepts(OutputGrammar.FromSchema(schema), text));

    [Fact]
    public void Clone_GoesItsOwnWay()
    {
        var trie = new TokenTrie(Tokens);
        var first = OutputGrammar.FromSchema("""{"enum":["a","b"]}""").Start(trie);
        first.Accept(Token("\""));
        var second = first.Clone();
        first.Accept(Token("a"));
        second.Accept(Token("b"));
        first.Accept(Token("\""));

        Assert.True(first.IsComplete && first.IsOver);
        Assert.False(second.IsComplete);
        Assert.StartsWith($"Token {Token("a")} is not allowed here.", Assert.Throws<ArgumentException>(() => second.Accept(Token("a"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Apply_ForbidsRowsBeyondTheVocabulary_AndRefusesTooFewScores()
    {
        var constraint = OutputGrammar.AnyObject().Start(new TokenTrie(Tokens));
        var scores = new float[Tokens.VocabularySize + 10];
        constraint.Apply(scores);

        Assert.All(scores[Tokens.VocabularySize..], s => Assert.Equal(float.NegativeInfinity, s));
        Assert.Equal(0, scores[Token("{")]);
        Assert.Throws<ArgumentException>(() => constraint.Apply(new float[10]));
    }

    [Fact]
    public void TokenTrie_RefusesATokenizerWithoutAllBytes() => Assert.StartsWith("The tokenizer has no token for the byte 0x20 alone",
        Assert.Throws<UnsupportedModelException>(() => new TokenTrie(300, id => Encoding.UTF8.GetBytes($"t{id}"), [0])).Message, StringComparison.Ordinal);

    [Fact]
    public async Task OneGrammar_ServesManyThreads()
    {
        var grammar = OutputGrammar.AnyObject();
        var texts = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => Task.Run(() => new ConstrainedWalk(Tokens, new Random(i)).Run(grammar))));

        Assert.All(texts, t => Assert.Equal(JsonValueKind.Object, JsonDocument.Parse(t!).RootElement.ValueKind));
    }

    private static int Token(string text) => Assert.Single(Tokens.Encode(text));

    private static bool Takes(TokenConstraint constraint, int token)
    {
        try
        {
            constraint.Clone().Accept(token);
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }
}
