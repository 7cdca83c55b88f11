using System.Globalization;

namespace LlmOps.Lifecycle.Tracking.Search;

/// <summary>
/// Reads the filters of the MLflow API: comparisons joined by AND, and as a superset by OR and parentheses. It knows no keys and no columns; nothing it returns
/// is a piece of SQL.
/// </summary>
public sealed class FilterParser
{
    private const int MostComparisons = 200, Deepest = 50;
    private readonly List<FilterToken> tokens;
    private int at, comparisons;

    private FilterParser(List<FilterToken> tokens) => this.tokens = tokens;

    /// <returns>Null for an empty filter.</returns>
    /// <exception cref="LlmOpsException">INVALID_PARAMETER_VALUE, with the place.</exception>
    public static Filter? Parse(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
            return null;
        var parser = new FilterParser(FilterTokens.Read(text));
        var filter = parser.Or(0);
        return parser.Now.Kind == FilterTokenKind.End ? filter : throw parser.Wrong($"'{TrackingKeys.Shown(parser.Now.Text)}' is not expected here; join comparisons with AND or OR");
    }

    private FilterToken Now => tokens[at];

    private FilterToken Take() => tokens[at++];

    private LlmOpsException Wrong(string what) => FilterTokens.Wrong(what, Now.Position - 1);

    private Filter Or(int depth)
    {
        var parts = new List<Filter> { And(depth) };
        while (Now.Is("OR"))
        {
            at++;
            parts.Add(And(depth));
        }
        return parts.Count == 1 ? parts[0] : new Filter.Any(parts);
    }

    private Filter And(int depth)
    {
        var parts = new List<Filter> { Part(depth) };
        while (Now.Is("AND"))
        {
            at++;
            parts.Add(Part(depth));
        }
        return parts.Count == 1 ? parts[0] : new Filter.All(parts);
    }

    private Filter Part(int depth)
    {
        if (Now.Kind != FilterTokenKind.Open)
            return Comparison();
        if (depth >= Deepest)
            throw Wrong($"parentheses are more than {Deepest} deep");
        at++;
        var inner = Or(depth + 1);
        if (Now.Kind != FilterTokenKind.Close)
            throw Wrong("a parenthesis is not closed");
        at++;
        return inner;
    }

    private Filter.Comparison Comparison()
    {
        if (++comparisons > MostComparisons)
            throw Wrong($"there are more than {MostComparisons} comparisons");
        var position = Now.Position;
        var (entity, key) = Identifier();
        var op = Operator();
        return new(entity, key, op, Value(op), position);
    }

    /// <summary>key, entity.key, entity.`key`, `key`: a dot before a quote belongs to the word, which may have more of them.</summary>
    private (string? Entity, string Key) Identifier()
    {
        var first = Take();
        if (first.Kind == FilterTokenKind.Quoted && first.Quote != '\'')
            return (null, NotEmpty(first.Text));
        if (first.Kind is not (FilterTokenKind.Word or FilterTokenKind.Number))
        {
            at--;
            throw Wrong(Now.Kind == FilterTokenKind.End ? "a comparison is missing" : $"'{TrackingKeys.Shown(first.Text)}' is no key");
        }
        var dot = first.Text.IndexOf('.', StringComparison.Ordinal);
        if (dot < 0)
            return (null, first.Text);
        if (first.Text.EndsWith('.') && Now.Kind == FilterTokenKind.Quoted && Now.Quote != '\'')
            return (first.Text[..^1], NotEmpty(Take().Text));
        if (dot < first.Text.Length - 1)
            return (first.Text[..dot], first.Text[(dot + 1)..]);
        throw Wrong("a key is missing behind the dot");
    }

    private string NotEmpty(string key) => key.Length > 0 ? Stored(key) : throw Wrong("a key is empty");

    private FilterOperator Operator()
    {
        var token = Take();
        if (token.Kind == FilterTokenKind.Operator)
            return token.Text switch
            {
                "=" => FilterOperator.Equal, "!=" => FilterOperator.NotEqual, ">" => FilterOperator.Greater, ">=" => FilterOperator.GreaterOrEqual, "<" => FilterOperator.Less, _ => FilterOperator.LessOrEqual,
            };
        if (token.Is("LIKE"))
            return FilterOperator.Like;
        if (token.Is("ILIKE"))
            return FilterOperator.ILike;
        if (token.Is("IN"))
            return FilterOperator.In;
        if (token.Is("NOT") && Now.Is("IN"))
        {
            at++;
            return FilterOperator.NotIn;
        }
        if (token.Is("IS"))
        {
            var not = Now.Is("NOT");
            if (not)
                at++;
            if (Now.Is("NULL"))
            {
                at++;
                return not ? FilterOperator.IsNotNull : FilterOperator.IsNull;
            }
        }
        at--;
        throw Wrong("an operator is missing: =, !=, >, >=, <, <=, LIKE, ILIKE, IN, NOT IN, IS NULL or IS NOT NULL");
    }

    private FilterValue Value(FilterOperator op)
    {
        if (op is FilterOperator.IsNull or FilterOperator.IsNotNull)
            return new();
        if (op is FilterOperator.In or FilterOperator.NotIn)
            return new(List: List());
        var token = Take();
        if (token.Kind == FilterTokenKind.Quoted && token.Quote != '`')
            return new(Text: Stored(token.Text));
        if (token.Kind == FilterTokenKind.Number && double.Parse(token.Text, NumberStyles.Float, CultureInfo.InvariantCulture) is var number && double.IsFinite(number))
            return new(Number: number);
        at--;
        throw Wrong("a value is missing: a quoted text or a number");
    }

    private List<string> List()
    {
        if (Now.Kind != FilterTokenKind.Open)
            throw Wrong("IN takes a list in parentheses: ('a', 'b')");
        var values = new List<string>();
        do
        {
            at++;
            if (Now.Kind != FilterTokenKind.Quoted || Now.Quote == '`')
                throw Wrong("a list holds quoted texts, parted by commas");
            values.Add(Stored(Take().Text));
        }
        while (Now.Kind == FilterTokenKind.Comma);
        if (Now.Kind != FilterTokenKind.Close)
            throw Wrong("the list is not closed");
        at++;
        return values.Count <= 1000 ? values : throw Wrong("a list has more than 1000 values");
    }

    private string Stored(string text) => TrackingLimits.IsStorable(text) ? text : throw Wrong("a text holds characters that no database stores");
}
