namespace LlmOps.Engines.Text.Templates;

/// <summary>Reads the statements of a template.</summary>
internal sealed class TemplateParser(List<TemplateToken> tokens)
{
    private const int MaxDepth = 60;
    private static readonly string[] Supported =
        ["if", "for", "set", "macro", "call", "filter", "with", "generation", "break", "continue", "raw"];

    private readonly ExpressionParser expressions = new(tokens);
    private int depth;
    private int loops;

    /// <exception cref="InvalidModelException">The template is malformed.</exception>
    /// <exception cref="UnsupportedModelException">It uses a tag, filter or test that is not supported, or is nested too deep.</exception>
    public static IReadOnlyList<Statement> Parse(string source)
    {
        var parser = new TemplateParser(TemplateLexer.Read(source));
        var body = parser.Body(out var end);
        return end is null ? body : throw TemplateError.Invalid(parser.expressions.Current.Line, $"{end} has no beginning.");
    }

    // Statements up to a tag that only ends or divides something; that tag's name is taken, the rest of the tag is not.
    private List<Statement> Body(out string? end)
    {
        if (++depth > MaxDepth)
            throw TemplateError.Unsupported(expressions.Current.Line, $"blocks are nested more than {MaxDepth} deep.");
        var body = new List<Statement>();
        end = null;
        while (end is null && expressions.Current.Kind != TokenKind.End)
        {
            var token = expressions.Take();
            switch (token.Kind)
            {
                case TokenKind.Text:
                    body.Add(new TextStatement(new MarkedText(token.Text)) { Line = token.Line });
                    break;
                case TokenKind.ExpressionStart:
                    body.Add(new Print(expressions.Tuple()) { Line = token.Line });
                    expressions.Expect(TokenKind.ExpressionEnd);
                    break;
                default:
                    var name = expressions.Name();
                    if (name.StartsWith("end", StringComparison.Ordinal) || name is "else" or "elif")
                        end = name;
                    else
                        body.Add(Tag(name, token.Line));
                    break;
            }
        }
        depth--;
        return body;
    }

    private List<Statement> BodyUntil(string end, int line, bool isLoop = false)
    {
        EndTag();
        var outer = loops;
        loops = isLoop ? loops + 1 : end is "endmacro" or "endcall" ? 0 : loops;
        var body = Body(out var found);
        loops = outer;
        if (found != end)
            throw Missing(end, found, line);
        EndTag();
        return body;
    }

    private InvalidModelException Missing(string end, string? found, int line) =>
        TemplateError.Invalid(expressions.Current.Line, $"{found ?? "the template"} ends here, but the tag of line {line} needs {end}.");

    private void EndTag() => expressions.Expect(TokenKind.BlockEnd);

    private Statement Tag(string name, int line)
    {
        switch (name)
        {
            case "if":
                return If(line);
            case "for":
                return For(line);
            case "set":
                return Set(line);
            case "macro":
                var macroName = expressions.Name();
                return new Macro(macroName, Parameters(), BodyUntil("endmacro", line)) { Line = line };
            case "call":
                return CallBlock(line);
            case "filter":
                return FilterBlock(line);
            case "with":
                return With(line);
            case "generation":
                return new Block([], BodyUntil("endgeneration", line), Marks.Assistant) { Line = line };
            case "break" or "continue":
                if (loops == 0)
                    throw TemplateError.Invalid(line, $"{name} stands outside of a loop.");
                EndTag();
                return new Leave(name == "break" ? Flow.Break : Flow.Continue) { Line = line };
            default:
                throw TemplateError.Unsupported(line, $"the tag '{name}' is not supported; supported: {string.Join(", ", Supported)}.");
        }
    }

    private If If(int line)
    {
        var branches = new List<(Expression?, IReadOnlyList<Statement>)>();
        Expression? condition = expressions.Tuple();
        while (true)
        {
            EndTag();
            var body = Body(out var end);
            branches.Add((condition, body));
            switch (end)
            {
                case "elif" when condition is not null:
                    condition = expressions.Tuple();
                    break;
                case "else" when condition is not null:
                    condition = null;
                    break;
                case "endif":
                    EndTag();
                    return new If(branches) { Line = line };
                default:
                    throw Missing("endif", end, line);
            }
        }
    }

    private ForLoop For(int line)
    {
        var target = Target();
        expressions.Expect("in");
        var items = expressions.Tuple(withCondition: false);
        var condition = expressions.Try("if") ? expressions.Parse() : null;
        if (expressions.Current.Is("recursive"))
            throw TemplateError.Unsupported(line, "recursive loops are not supported.");
        EndTag();
        loops++;
        var body = Body(out var end);
        loops--;
        List<Statement> otherwise = [];
        if (end == "else")
        {
            EndTag();
            otherwise = Body(out end);
        }
        if (end != "endfor")
            throw Missing("endfor", end, line);
        EndTag();
        return new ForLoop(target, items, condition, body, otherwise) { Line = line };
    }

    private Assignment Set(int line)
    {
        var target = Target();
        if (expressions.Try("="))
        {
            var value = expressions.Tuple();
            EndTag();
            return new Assignment(target, value) { Line = line };
        }
        var filtered = expressions.FiltersAndTests(new BlockValue { Line = line });
        return new Assignment(target, new WithBlock(filtered, new Captured(BodyUntil("endset", line)) { Line = line }) { Line = line }) { Line = line };
    }

    private Print FilterBlock(int line)
    {
        var filtered = expressions.FiltersAndTests(expressions.Filter(new BlockValue { Line = line }, line));
        return new Print(new WithBlock(filtered, new Captured(BodyUntil("endfilter", line)) { Line = line }) { Line = line }) { Line = line };
    }

    private Block With(int line)
    {
        var variables = new List<(Expression, Expression)>();
        while (expressions.Current.Kind != TokenKind.BlockEnd)
        {
            if (variables.Count > 0)
                expressions.Expect(",");
            Expression target = new Variable(expressions.Name()) { Line = line };
            expressions.Expect("=");
            variables.Add((target, expressions.Parse()));
        }
        return new Block(variables, BodyUntil("endwith", line), Marks.None) { Line = line };
    }

    private CallBlock CallBlock(int line)
    {
        var parameters = expressions.Current.Is("(") ? Parameters() : [];
        Expression function = new Variable(expressions.Name()) { Line = line };
        while (expressions.Try("."))
            function = new AttributeOf(function, expressions.Name()) { Line = line };
        var arguments = expressions.Arguments();
        return new CallBlock(new Macro("caller", parameters, BodyUntil("endcall", line)) { Line = line }, function, arguments) { Line = line };
    }

    private List<(string Name, Expression? Default)> Parameters()
    {
        expressions.Expect("(");
        var parameters = new List<(string, Expression?)>();
        while (!expressions.Try(")"))
        {
            if (parameters.Count > 0)
                expressions.Expect(",");
            if (expressions.Try(")"))
                break;
            parameters.Add((expressions.Name(), expressions.Try("=") ? expressions.Parse() : null));
        }
        return parameters;
    }

    private Expression Target()
    {
        var line = expressions.Current.Line;
        var parenthesised = expressions.Try("(");
        var items = new List<Expression>();
        do
        {
            Expression item = new Variable(expressions.Name()) { Line = line };
            if (expressions.Try("."))
                item = new AttributeOf(item, expressions.Name()) { Line = line };
            items.Add(item);
        }
        while (expressions.Try(",") && expressions.Current.Kind == TokenKind.Name && !expressions.Current.Is("in"));
        if (parenthesised)
            expressions.Expect(")");
        return items.Count == 1 ? items[0] : new ListLiteral(items) { Line = line };
    }
}
