namespace LlmOps.Engines.Text.Templates;

/// <summary>A part of a template that has a value.</summary>
internal abstract class Expression
{
    public required int Line { get; init; }

    public object? Value(Execution run, Scope scope)
    {
        run.Step();
        return Evaluate(run, scope);
    }

    protected abstract object? Evaluate(Execution run, Scope scope);

    public bool IsTrue(Execution run, Scope scope) => TemplateValue.IsTrue(Value(run, scope));
}

internal sealed class Constant(object? value) : Expression
{
    protected override object? Evaluate(Execution run, Scope scope) => value;
}

internal sealed class Variable(string name) : Expression
{
    public string Name => name;

    protected override object? Evaluate(Execution run, Scope scope) => scope.Find(name);
}

internal sealed class ListLiteral(IReadOnlyList<Expression> items, bool isTuple = false) : Expression
{
    public IReadOnlyList<Expression> Items => items;

    protected override object? Evaluate(Execution run, Scope scope) =>
        isTuple ? new TemplateTuple(items.Select(i => i.Value(run, scope))) : items.Select(i => i.Value(run, scope)).ToList();
}

internal sealed class DictionaryLiteral(IReadOnlyList<(Expression Key, Expression Value)> entries) : Expression
{
    protected override object? Evaluate(Execution run, Scope scope)
    {
        var dictionary = new TemplateDictionary();
        foreach (var (key, value) in entries)
            dictionary.Set(key.Value(run, scope), value.Value(run, scope));
        return dictionary;
    }
}

/// <summary><c>and</c>, <c>or</c>: the operand that decided, as in Python.</summary>
internal sealed class Logical(bool isAnd, Expression left, Expression right) : Expression
{
    protected override object? Evaluate(Execution run, Scope scope)
    {
        var first = left.Value(run, scope);
        return TemplateValue.IsTrue(first) == isAnd ? right.Value(run, scope) : first;
    }
}

internal sealed class Negation(Expression operand) : Expression
{
    protected override object? Evaluate(Execution run, Scope scope) => !operand.IsTrue(run, scope);
}

internal sealed class Unary(bool negative, Expression operand) : Expression
{
    protected override object? Evaluate(Execution run, Scope scope) =>
        negative ? Operators.Negative(run, operand.Value(run, scope)) : operand.Value(run, scope);
}

internal sealed class BinaryOperation(string op, Expression left, Expression right) : Expression
{
    protected override object? Evaluate(Execution run, Scope scope) => Operators.Binary(run, op, left.Value(run, scope), right.Value(run, scope));
}

/// <summary><c>a &lt; b &lt;= c</c>: all neighbours compare.</summary>
internal sealed class Comparison(Expression first, IReadOnlyList<(string Operator, Expression Operand)> rest) : Expression
{
    protected override object? Evaluate(Execution run, Scope scope)
    {
        var left = first.Value(run, scope);
        foreach (var (op, operand) in rest)
        {
            var right = operand.Value(run, scope);
            if (!Operators.Compare(run, op, left, right))
                return false;
            left = right;
        }
        return true;
    }
}

internal sealed class Conditional(Expression condition, Expression then, Expression? otherwise) : Expression
{
    protected override object? Evaluate(Execution run, Scope scope) =>
        condition.IsTrue(run, scope) ? then.Value(run, scope) : otherwise is null ? new Undefined("an if without else") : otherwise.Value(run, scope);
}

internal sealed class AttributeOf(Expression target, string name) : Expression
{
    public Expression Target => target;

    public string Name => name;

    protected override object? Evaluate(Execution run, Scope scope) => Sequences.Attribute(run, target.Value(run, scope), name);
}

internal sealed class ItemOf(Expression target, Expression key) : Expression
{
    protected override object? Evaluate(Execution run, Scope scope) => Sequences.Item(run, target.Value(run, scope), key.Value(run, scope));
}

internal sealed class SliceOf(Expression target, Expression? start, Expression? stop, Expression? step) : Expression
{
    protected override object? Evaluate(Execution run, Scope scope) =>
        Sequences.Slice(run, target.Value(run, scope), start?.Value(run, scope), stop?.Value(run, scope), step?.Value(run, scope));
}

/// <summary>Arguments as they are written.</summary>
internal sealed record ArgumentList(IReadOnlyList<Expression> Values, IReadOnlyList<(string Name, Expression Value)> Named)
{
    public static ArgumentList None { get; } = new([], []);

    public Arguments Evaluate(Execution run, Scope scope)
    {
        var named = new Dictionary<string, object?>(StringComparer.Ordinal);
        var values = Values.Select(v => v.Value(run, scope)).ToList();
        foreach (var (name, value) in Named)
            named[name] = value.Value(run, scope);
        return new Arguments(values, named);
    }
}

internal sealed class Call(Expression target, ArgumentList arguments) : Expression
{
    protected override object? Evaluate(Execution run, Scope scope)
    {
        var function = target.Value(run, scope);
        run.Line = Line;
        return function switch
        {
            TemplateFunction f => f(run, arguments.Evaluate(run, scope)),
            Undefined u => throw run.Fail($"'{u.Name}' is not defined, so it cannot be called."),
            _ => throw run.Fail($"{TemplateValue.KindOf(function)} cannot be called."),
        };
    }
}

/// <summary>A filter; without a target the value is given by a filter block.</summary>
internal sealed class Filter(Expression target, string name, ArgumentList arguments) : Expression
{
    protected override object? Evaluate(Execution run, Scope scope)
    {
        var value = target.Value(run, scope);
        run.Line = Line;
        return Filters.Apply(run, name, value, arguments.Evaluate(run, scope));
    }
}

internal sealed class Test(Expression target, string name, ArgumentList arguments) : Expression
{
    protected override object? Evaluate(Execution run, Scope scope) => Tests.Holds(run, name, target.Value(run, scope), arguments.Evaluate(run, scope));
}
