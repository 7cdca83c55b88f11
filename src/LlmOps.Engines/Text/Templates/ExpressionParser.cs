using System.Globalization;

namespace LlmOps.Engines.Text.Templates;

/// <summary>Reads expressions with Jinja's precedence, loosest first: inline if, or, and, not, comparison, + -, ~, * / // %, **, signs, filters and tests.</summary>
internal sealed class ExpressionParser(List<TemplateToken> tokens)
{
    private const int MaxDepth = 100;
    private static readonly string[] NoArgument = ["else", "or", "and", "if", "in", "not", "is"];

    private int at;
    private int depth;

    public TemplateToken Current => tokens[at];

    public TemplateToken Take() => tokens[at].Kind == TokenKind.End ? tokens[at] : tokens[at++];

    public bool Try(string text)
    {
        if (!Current.Is(text))
            return false;
        at++;
        return true;
    }

    public void Expect(string text)
    {
        if (!Try(text))
            throw Unexpected($"'{text}'");
    }

    public void Expect(TokenKind kind)
    {
        if (Take() is var token && token.Kind != kind)
            throw TemplateError.Invalid(token.Line, $"{token} is not expected here.");
    }

    public string Name() => Current.Kind == TokenKind.Name ? Take().Text : throw Unexpected("a name");

    public InvalidModelException Unexpected(string wanted) => TemplateError.Invalid(Current.Line, $"{Current} stands where {wanted} is expected.");

    /// <summary>An expression, or several with commas between them: a tuple.</summary>
    public Expression Tuple(bool withCondition = true)
    {
        var line = Current.Line;
        var first = withCondition ? Parse() : Or();
        if (!Current.Is(","))
            return first;
        var items = new List<Expression> { first };
        while (Try(",") && Current.Kind is not (TokenKind.BlockEnd or TokenKind.ExpressionEnd) && !Current.Is(")") && !Current.Is("="))
            items.Add(withCondition ? Parse() : Or());
        return new ListLiteral(items, isTuple: true) { Line = line };
    }

    public Expression Parse()
    {
        if (++depth > MaxDepth)
            throw TemplateError.Unsupported(Current.Line, $"expressions are nested more than {MaxDepth} deep.");
        var value = Or();
        for (var line = Current.Line; Try("if"); line = Current.Line)
        {
            var condition = Or();
            value = new Conditional(condition, value, Try("else") ? Parse() : null) { Line = line };
        }
        depth--;
        return value;
    }

    public Expression Or() => Left(And, ["or"], (_, a, b) => new Logical(false, a, b) { Line = a.Line });

    private Expression And() => Left(Not, ["and"], (_, a, b) => new Logical(true, a, b) { Line = a.Line });

    private Expression Not()
    {
        var (line, count) = (Current.Line, 0);
        while (Try("not"))
            count++;
        var value = Compare();
        return count == 0 ? value : count % 2 == 1 ? new Negation(value) { Line = line } : new Negation(new Negation(value) { Line = line }) { Line = line };
    }

    private Expression Compare()
    {
        var first = Sum();
        var rest = new List<(string, Expression)>();
        while (true)
        {
            if (Current is { Kind: TokenKind.Operator, Text: "==" or "!=" or "<" or "<=" or ">" or ">=" })
                rest.Add((Take().Text, Sum()));
            else if (Try("in"))
                rest.Add(("in", Sum()));
            else if (Current.Is("not") && tokens[at + 1].Is("in"))
            {
                at += 2;
                rest.Add(("not in", Sum()));
            }
            else
                return rest.Count == 0 ? first : new Comparison(first, rest) { Line = first.Line };
        }
    }

    private Expression Sum() => Left(Concat, ["+", "-"], Binary);

    private Expression Concat() => Left(Product, ["~"], Binary);

    private Expression Product() => Left(Power, ["*", "/", "//", "%"], Binary);

    private Expression Power() => Left(() => Sign(true), ["**"], Binary);

    private static BinaryOperation Binary(string op, Expression a, Expression b) => new(op, a, b) { Line = a.Line };

    private Expression Left(Func<Expression> operand, string[] operators, Func<string, Expression, Expression, Expression> make)
    {
        var value = operand();
        // Long chains are deep trees.
        for (var count = 0; Array.Exists(operators, Current.Is); count++)
            value = count < 10 * MaxDepth ? make(Take().Text, value, operand()) : throw TemplateError.Unsupported(Current.Line, $"a chain of more than {10 * MaxDepth} operators.");
        return value;
    }

    private Expression Sign(bool withFilters)
    {
        var line = Current.Line;
        Expression value;
        if (Current.Is("-") || Current.Is("+"))
        {
            if (++depth > MaxDepth)
                throw TemplateError.Unsupported(line, $"expressions are nested more than {MaxDepth} deep.");
            value = new Unary(Take().Text == "-", Sign(false)) { Line = line };
            depth--;
        }
        else
            value = Postfix(Primary());
        return withFilters ? FiltersAndTests(value) : value;
    }

    private Expression Primary()
    {
        var token = Take();
        switch (token)
        {
            case { Kind: TokenKind.Name, Text: "true" or "True" }: return new Constant(true) { Line = token.Line };
            case { Kind: TokenKind.Name, Text: "false" or "False" }: return new Constant(false) { Line = token.Line };
            case { Kind: TokenKind.Name, Text: "none" or "None" }: return new Constant(null) { Line = token.Line };
            case { Kind: TokenKind.Name }: return new Variable(token.Text) { Line = token.Line };
            case { Kind: TokenKind.Number }: return new Constant(Number(token)) { Line = token.Line };
            case { Kind: TokenKind.String }:
                var text = token.Text;
                while (Current.Kind == TokenKind.String) // neighbours are one text
                    text += Take().Text;
                return new Constant(new MarkedText(text)) { Line = token.Line };
            case { Kind: TokenKind.Operator, Text: "(" }:
                if (Try(")"))
                    return new ListLiteral([], isTuple: true) { Line = token.Line };
                var inside = Tuple();
                Expect(")");
                return inside;
            case { Kind: TokenKind.Operator, Text: "[" }:
                return new ListLiteral(Items("]", Parse)) { Line = token.Line };
            case { Kind: TokenKind.Operator, Text: "{" }:
                return new DictionaryLiteral(Items("}", () =>
                {
                    var key = Parse();
                    Expect(":");
                    return (key, Parse());
                })) { Line = token.Line };
            default:
                throw TemplateError.Invalid(token.Line, $"{token} stands where a value is expected.");
        }
    }

    private static object Number(TemplateToken token) =>
        token.Text.AsSpan().ContainsAny(".eE") ? (object)double.Parse(token.Text, CultureInfo.InvariantCulture)
        : long.TryParse(token.Text, CultureInfo.InvariantCulture, out var whole) ? whole
        : throw TemplateError.Unsupported(token.Line, $"the number {token.Text} is too large.");

    private List<T> Items<T>(string close, Func<T> item)
    {
        var items = new List<T>();
        while (!Try(close))
        {
            if (items.Count > 0)
            {
                Expect(",");
                if (Try(close))
                    break;
            }
            items.Add(item());
        }
        return items;
    }

    private Expression Postfix(Expression value)
    {
        for (var count = 0; ; count++)
        {
            var line = Current.Line;
            if (count > MaxDepth)
                throw TemplateError.Unsupported(line, $"more than {MaxDepth} attributes, items or calls in a row.");
            if (Try("."))
                value = Current.Kind == TokenKind.Number
                    ? new ItemOf(value, new Constant(Number(Take())) { Line = line }) { Line = line }
                    : new AttributeOf(value, Name()) { Line = line };
            else if (Try("["))
                value = Subscript(value, line);
            else if (Current.Is("("))
                value = new Call(value, Arguments()) { Line = line };
            else
                return value;
        }
    }

    private Expression Subscript(Expression value, int line)
    {
        var parts = new Expression?[3];
        var part = 0;
        while (!Try("]"))
        {
            if (Try(":"))
            {
                if (++part > 2)
                    throw Unexpected("']'");
            }
            else if (parts[part] is null)
                parts[part] = Tuple();
            else
                throw Unexpected("']'");
        }
        return part > 0 ? new SliceOf(value, parts[0], parts[1], parts[2]) { Line = line }
            : parts[0] is { } key ? new ItemOf(value, key) { Line = line } : throw Unexpected("an index");
    }

    public ArgumentList Arguments()
    {
        Expect("(");
        var named = new List<(string, Expression)>();
        var values = new List<Expression>();
        foreach (var (name, value) in Items(")", () =>
        {
            var name = Current.Kind == TokenKind.Name && tokens[at + 1].Is("=") ? Take().Text : null;
            if (name is not null)
                Expect("=");
            if (Current.Is("*") || Current.Is("**"))
                throw TemplateError.Unsupported(Current.Line, "* and ** in arguments are not supported.");
            return (name, Parse());
        }))
        {
            if (name is not null)
                named.Add((name, value));
            else
                values.Add(value);
        }
        return new ArgumentList(values, named);
    }

    public Expression FiltersAndTests(Expression value)
    {
        for (var count = 0; ; count++)
        {
            var line = Current.Line;
            if (count > MaxDepth)
                throw TemplateError.Unsupported(line, $"more than {MaxDepth} filters in a row.");
            if (Try("|"))
                value = Filter(value, line);
            else if (Try("is"))
                value = Test(value, line);
            else if (Current.Is("("))
                value = new Call(value, Arguments()) { Line = line };
            else
                return value;
        }
    }

    public Filter Filter(Expression value, int line)
    {
        var name = Name();
        return Filters.Exists(name)
            ? new Filter(value, name, Current.Is("(") ? Arguments() : ArgumentList.None) { Line = line }
            : throw TemplateError.Unsupported(line, $"the filter '{name}' is not supported.");
    }

    private Expression Test(Expression value, int line)
    {
        var negated = Try("not");
        var name = Current is { Kind: TokenKind.Operator, Text: "==" or "!=" or "<" or "<=" or ">" or ">=" } ? Take().Text : Name();
        if (!Tests.Exists(name))
            throw TemplateError.Unsupported(line, $"the test '{name}' is not supported.");
        var arguments = ArgumentList.None;
        if (Current.Is("("))
            arguments = Arguments();
        else if (Current.Kind is TokenKind.Number or TokenKind.String || Current.Is("[") || Current.Is("{") || (Current.Kind == TokenKind.Name && !NoArgument.Contains(Current.Text)))
            arguments = new ArgumentList([Postfix(Primary())], []);
        var test = new Test(value, name, arguments) { Line = line };
        return negated ? new Negation(test) { Line = line } : test;
    }
}
