using System.Diagnostics;
using System.Text.Json;
using LlmOps.Engines.Text;

namespace LlmOps.Engines.Tests.Text;

public sealed class HostileTemplateTests
{
    private static readonly ChatInput Input = new([new ChatTurn("user", "hello"), new ChatTurn("assistant", "world")]);

    [Theory]
    [InlineData("a\n{% if x %}b", "Chat template, line 2: the template ends here, but the tag of line 2 needs endif.")]
    [InlineData("{% endif %}", "Chat template, line 1: endif has no beginning.")]
    [InlineData("{{ 1 +\n }}", "Chat template, line 2: }} stands where a value is expected.")]
    [InlineData("{{ 'abc", "Chat template, line 1: a string is not closed.")]
    [InlineData("{# abc", "Chat template, line 1: a comment {# is not closed.")]
    [InlineData("\n\n{{ a", "Chat template, line 3: a tag is not closed with }}.")]
    [InlineData("{{ a ? b }}", "Chat template, line 1: the character '?' has no meaning in a tag.")]
    [InlineData("{% for x in y %}{% endmacro %}", "Chat template, line 1: endmacro ends here, but the tag of line 1 needs endfor.")]
    [InlineData("{% break %}", "Chat template, line 1: break stands outside of a loop.")]
    [InlineData("{{ none.a.b }}", "Chat template, line 1: 'a' is undefined, so it has no 'b'.")]
    [InlineData("\n{{ messages[0].content + 1 }}", "Chat template, line 2: text + a whole number is not possible.")]
    [InlineData("{{ what() }}", "Chat template, line 1: 'what' is not defined, so it cannot be called.")]
    [InlineData("{{ [1, 'a'] | sort }}", "Chat template, line 1: text and a whole number have no order.")]
    [InlineData("{{ 1 // 0 }}", "Chat template, line 1: division by zero.")]
    [InlineData("{% set messages.x = 1 %}", "Chat template, line 1: only attributes of a namespace can be set")]
    public void Invalid_NamesTheLine(string template, string message) =>
        Assert.StartsWith(message, Assert.Throws<InvalidModelException>(() => ChatTemplate.Parse(template).Render(Input)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("{% include 'x' %}", "Chat template, line 1: the tag 'include' is not supported; supported: if, for")]
    [InlineData("{{ 1 | xmlattr }}", "Chat template, line 1: the filter 'xmlattr' is not supported.")]
    [InlineData("{{ 1 is prime }}", "Chat template, line 1: the test 'prime' is not supported.")]
    [InlineData("{{ messages.append(1) }}", "Chat template, line 1: list.append is not supported")]
    [InlineData("{% for x in y recursive %}{% endfor %}", "Chat template, line 1: recursive loops are not supported.")]
    [InlineData("{{ strftime_now('%Q') }}", "Chat template, line 1: %Q in a time format is not supported.")]
    [InlineData("{{ 9223372036854775807 + 1 }}", "Chat template, line 1: 9223372036854775807 + 1 is too large.")]
    public void Unsupported_NamesTheLine(string template, string message) =>
        Assert.StartsWith(message, Assert.Throws<UnsupportedModelException>(() => ChatTemplate.Parse(template).Render(Input)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}")]
    [InlineData("{{ range(2000000000) }}")]
    [InlineData("{{ 'abc' * 1000000000 }}")]
    [InlineData("{% set ns = namespace(x='abcdefgh') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}")]
    [InlineData("{% set ns = namespace(x='abcdefgh') %}{% for i in range(60) %}{% set ns.x = ns.x.replace('a', 'aaaaaaaa') %}{% endfor %}")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x }}")]
    [InlineData("{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | tojson | length }}")]
    [InlineData("{% set ns = namespace(x=[1], y=[1]) %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}{% endfor %}{{ ns.x == ns.y }}")]
    [InlineData("{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}")]
    [InlineData("{% macro m(n) %}{% if n > 0 %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(50) }}")]
    [InlineData("{{ '%s' * 100 % (messages) }}{% for i in range(1000000) %}{{ messages | tojson(indent=100) }}{% endfor %}")]
    public void Endless_IsStopped(string template)
    {
        var watch = Stopwatch.StartNew();
        var error = Record.Exception(() => ChatTemplate.Parse(template).Render(Input));

        Assert.True(error is UnsupportedModelException or InvalidModelException, error?.ToString() ?? "no error");
        Assert.InRange(watch.Elapsed.TotalSeconds, 0, 60);
    }

    [Fact]
    public void DeepNesting_IsRefused()
    {
        foreach (var (open, close, core) in new[] { ("(", ")", "1"), ("[", "]", ""), ("-", "", "1"), ("not ", "", "1"), ("1 if 1 else ", "", "1"), ("a.", "", "a"), ("", "|list", "1"), ("1+", "", "1"), ("", "[0]", "a") })
        {
            var template = "{{ " + string.Concat(Enumerable.Repeat(open, 20_000)) + core + string.Concat(Enumerable.Repeat(close, 20_000)) + " }}";
            var error = Record.Exception(() => ChatTemplate.Parse(template).Render(Input));
            Assert.True(error is UnsupportedModelException || (error is null && open == "not "), $"{open}: {error}");
        }
        Assert.Throws<UnsupportedModelException>(() => ChatTemplate.Parse(string.Concat(Enumerable.Repeat("{% if 1 %}", 5000))));
        Assert.Throws<UnsupportedModelException>(() => ChatTemplate.Parse(new string('x', 600_000)));
    }

    [Fact]
    public void Input_ThatIsNoConversation_IsRefused()
    {
        var template = ChatTemplate.Parse("{{ messages[0].content }}");
        Assert.Equal("The messages of a conversation must be a list.", Assert.Throws<ArgumentException>(() => template.Render(new ChatInput(Json("{}")))).Message);
        Assert.Equal("Message 1 must be an object with a role.", Assert.Throws<ArgumentException>(() => template.Render(new ChatInput(Json("[{}]")))).Message);
        Assert.StartsWith("A text of the conversation holds half of a surrogate pair.",
            Assert.Throws<ArgumentException>(() => template.Render(new ChatInput(Json("""[{"role":"user","content":"\ud800"}]""")))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void DamagedTemplates_AreRefusedOrRendered()
    {
        var random = new Random(7);
        var source = """
            {%- macro m(a, b=1) %}{{ a ~ b }}{% endmacro -%}{% set ns = namespace(x=0) %}{% for t in messages[::-1] if t.role != 'x' %}{% set ns.x = ns.x + loop.index %}
              {%- if t.content is string and 'o' in t.content %}{{ m(t.content | trim | upper, b={'k': [1, 2.5]}['k'][0]) }}{% elif not t %}{# c #}{% else %}{% continue %}{% endif %}
            {% generation %}{{ t | tojson(indent=2) }}{% endgeneration %}{% endfor %}{% call(q) m('a') %}{{ q }}{% endcall %}{% filter lower %}{{ '%s' % ns.x }}{% endfilter %}
            """;
        var (rendered, refused) = (0, 0);
        for (var round = 0; round < 3000; round++)
        {
            var text = source.ToCharArray().ToList();
            for (var edits = random.Next(1, 5); edits > 0; edits--)
            {
                var at = random.Next(text.Count);
                if (random.Next(2) == 0)
                    text.RemoveRange(at, Math.Min(random.Next(1, 6), text.Count - at));
                else
                    text.InsertRange(at, "{%|}}(['-+ \n0"[random.Next(10)..]);
            }
            try
            {
                ChatTemplate.Parse(new string([.. text])).Render(Input);
                rendered++;
            }
            catch (Exception e) when (e is InvalidModelException or UnsupportedModelException or ArgumentException)
            {
                refused++;
            }
        }
        Assert.True(rendered > 100 && refused > 1000, $"{rendered} rendered, {refused} refused");
    }

    private static JsonElement Json(string text) => JsonDocument.Parse(text).RootElement;
}
