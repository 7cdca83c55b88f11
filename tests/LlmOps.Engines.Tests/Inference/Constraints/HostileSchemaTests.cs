using System.Text.Json;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Text;

namespace LlmOps.Engines.Tests.Inference.Constraints;

public sealed class HostileSchemaTests
{
    private static readonly Tokenizer Bytes = new BpeTrainer(300, 1).Train(["""{"a": [1, "b"]}"""]);

    [Theory]
    [InlineData("""{"type":"object","properties":{"a":{"not":{}}}}""", "Schema /properties/a: \"not\" is not supported")]
    [InlineData("""{"type":"array","uniqueItems":true}""", "Schema (root): \"uniqueItems\" is not supported")]
    [InlineData("""{"type":"number","multipleOf":0.5}""", "Schema (root): \"multipleOf\" is not supported")]
    [InlineData("""{"type":"object","patternProperties":{"^x":{}}}""", "Schema (root): \"patternProperties\" is not supported")]
    [InlineData("""{"type":"text"}""", "Schema (root): \"type\" is \"text\"; expected")]
    [InlineData("""{"type":"string","minLength":-1}""", "Schema (root): \"minLength\" is -1; expected")]
    [InlineData("""{"type":"number","minimum":1e300}""", "Schema (root): \"minimum\" is 1e300; expected")]
    [InlineData("""{"type":"number","exclusiveMinimum":true}""", "Schema (root): \"exclusiveMinimum\" is true; expected")]
    [InlineData("""{"$ref":"#"}""", "Schema (root): the reference comes back to itself")]
    [InlineData("""{"$ref":"#/$defs/a","$defs":{"a":{"allOf":[{"$ref":"#/$defs/b"}]},"b":{"$ref":"#/$defs/a"}}}""", "Schema /$defs/b: the reference comes back to itself")]
    [InlineData("""{"$ref":"#/$defs/none"}""", "Schema (root): \"$ref\" is \"#/$defs/none\"; expected a place that exists")]
    [InlineData("""{"$ref":"https://example.org/x.json"}""", "Schema (root): \"$ref\" is")]
    [InlineData("""{"anyOf":[]}""", "Schema (root): \"anyOf\" is []; expected at least one")]
    [InlineData("[]", "Schema (root): a schema is an object, true or false.")]
    [InlineData("false", "No value with at most 32 levels of nesting satisfies the schema.")]
    [InlineData("""{"type":"object","properties":{"a":{"$ref":"#"}},"required":["a"]}""", "No value with at most 32 levels")]
    [InlineData("""{"type":"string","pattern":"^[0-9]{3}$","minLength":5}""", "No value with at most 32 levels")]
    [InlineData("""{"type":"integer","minimum":3,"exclusiveMaximum":4,"exclusiveMinimum":3}""", "No value with at most 32 levels")]
    [InlineData("""{"type":"string","pattern":"(?=a)b"}""", "Schema (root): \"pattern\": (?= at position 0 is not supported")]
    [InlineData("""{"type":"string","pattern":"(a)\\1"}""", "Schema (root): \"pattern\": \\1 at position 3 is not supported")]
    [InlineData("""{"type":"string","pattern":"a{2,1}"}""", "Schema (root): \"pattern\": the quantifier {2,1}")]
    [InlineData("""{"type":"string","pattern":"((a{1,200}){1,200}){1,200}"}""", "Schema (root): \"pattern\": quantifiers multiply")]
    [InlineData("""{"type":"string","pattern":"[z-a]"}""", "Schema (root): \"pattern\": a range of the class")]
    [InlineData("{", "The schema is not valid JSON")]
    public void FromSchema_NamesWhatItRefuses(string schema, string message) =>
        Assert.StartsWith(message, Assert.Throws<ArgumentException>(() => OutputGrammar.FromSchema(schema)).Message, StringComparison.Ordinal);

    [Fact]
    public void FromSchema_RefusesSchemasThatExplode()
    {
        var choices = $$"""{"anyOf":[{{string.Join(',', Enumerable.Range(0, 4).Select(i => $$"""{"title":"{{i}}"}"""))}}]}""";
        Assert.Throws<ArgumentException>(() => OutputGrammar.FromSchema($$"""{"allOf":[{{string.Join(',', Enumerable.Repeat(choices, 12))}}]}"""));
        Assert.Throws<ArgumentException>(() => OutputGrammar.FromSchema($$"""{"enum":["{{new string('x', 5000)}}"]}"""));
        Assert.Throws<ArgumentException>(() => OutputGrammar.FromSchema(
            """{"type":"object","properties":{""" + string.Join(',', Enumerable.Range(0, 600).Select(i => $"\"p{i}\":true")) + "}}"));
        Assert.Throws<ArgumentException>(() => OutputGrammar.FromSchema("""{"type":"string","pattern":"(?:a|b)*a(?:a|b){40}c","maxLength":900}"""));
    }

    // Each position inside counters of counters is a state of its own, and all are alive at once.
    [Fact]
    public void AmbiguousPatterns_StayUsable()
    {
        var walk = new ConstrainedWalk(Bytes, new Random(1));
        var watch = System.Diagnostics.Stopwatch.StartNew();
        var constraint = OutputGrammar.FromSchema("""{"type":"string","pattern":"^(?:.{0,40}a?){0,40}b$"}""").Start(walk.Trie);
        constraint.Accept(Bytes.Encode("\"")[0]);
        for (var step = 0; step < 20; step++)
            constraint.Accept(Bytes.Encode("a")[0]);

        Assert.Contains(Bytes.Encode("b")[0], walk.Allowed(constraint));
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 60);
        Assert.Throws<ArgumentException>(() => OutputGrammar.FromSchema("""{"type":"string","pattern":"^(?:.{0,90}a?){0,90}b$"}"""));
    }

    [Fact]
    public void Nesting_EndsBeforeReadersRefuseIt()
    {
        var walk = new ConstrainedWalk(Bytes, new Random(1));
        var constraint = OutputGrammar.FromSchema("true", whitespace: false).Start(walk.Trie);
        var open = Bytes.Encode("[")[0];
        var depth = 0;
        for (; walk.Allowed(constraint).Contains(open); depth++)
            constraint.Accept(open);

        Assert.Equal(OutputGrammar.MaxDepth, depth);
    }

    [Fact]
    public void DamagedSchemas_AreRefusedOrServed()
    {
        var random = new Random(11);
        var walk = new ConstrainedWalk(Bytes, random);
        var (served, refused) = (0, 0);
        foreach (var schema in OutputGrammarTests.Schemas.Select(s => s.Data))
            for (var round = 0; round < 12; round++)
            {
                var damaged = Damage(schema, random);
                try
                {
                    var text = walk.Run(OutputGrammar.FromSchema(damaged, whitespace: false), tiredAfter: 10, most: 300);
                    if (text is not null)
                        JsonDocument.Parse(text);
                    served++;
                }
                catch (ArgumentException)
                {
                    refused++;
                }
            }

        Assert.True(served > 20 && refused > 50, $"{served} served, {refused} refused");
    }

    private static string Damage(string schema, Random random)
    {
        var text = schema.ToCharArray().ToList();
        for (var edits = random.Next(1, 4); edits > 0 && text.Count > 1; edits--)
        {
            var at = random.Next(text.Count);
            if (random.Next(2) == 0)
                text.RemoveAt(at);
            else
                text[at] = "{}[],:\"0123-+eE$^*ab "[random.Next(21)];
        }
        return new string([.. text]);
    }
}
