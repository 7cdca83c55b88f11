namespace LlmOps.Engines.Text.Templates;

/// <summary>A part of a template that writes or changes something.</summary>
internal abstract class Statement
{
    public required int Line { get; init; }

    public Flow Run(Execution run, Scope scope)
    {
        run.Step();
        run.Line = Line;
        return Execute(run, scope);
    }

    protected abstract Flow Execute(Execution run, Scope scope);

    public static Flow RunAll(IReadOnlyList<Statement> body, Execution run, Scope scope)
    {
        foreach (var statement in body)
            if (statement.Run(run, scope) is var flow && flow != Flow.Next)
                return flow;
        return Flow.Next;
    }
}

internal sealed class TextStatement(MarkedText text) : Statement
{
    protected override Flow Execute(Execution run, Scope scope)
    {
        run.Write(text);
        return Flow.Next;
    }
}

internal sealed class Print(Expression value) : Statement
{
    public Expression Printed => value;

    protected override Flow Execute(Execution run, Scope scope)
    {
        var printed = value.Value(run, scope);
        if (run.IsStrict && printed is Undefined { Name: var name })
            throw run.Fail($"'{name}' has no value.");
        run.Write(TemplateValue.ToText(run, printed));
        return Flow.Next;
    }
}

internal sealed class If(IReadOnlyList<(Expression? Condition, IReadOnlyList<Statement> Body)> branches) : Statement
{
    protected override Flow Execute(Execution run, Scope scope)
    {
        foreach (var (condition, body) in branches)
            if (condition is null || condition.IsTrue(run, scope))
                return RunAll(body, run, scope);
        return Flow.Next;
    }
}

internal sealed class Leave(Flow flow) : Statement
{
    protected override Flow Execute(Execution run, Scope scope) => flow;
}

/// <summary>Sets variables, the parts of a tuple, or an attribute of a namespace; the value may be what a block writes.</summary>
internal sealed class Assignment(Expression target, Expression value) : Statement
{
    protected override Flow Execute(Execution run, Scope scope)
    {
        Assign(run, scope, target, value.Value(run, scope));
        return Flow.Next;
    }

    public static void Assign(Execution run, Scope scope, Expression target, object? value)
    {
        switch (target)
        {
            case Variable v:
                scope.Set(v.Name, value);
                break;
            case AttributeOf a:
                if (a.Target.Value(run, scope) is not TemplateDictionary { IsNamespace: true } space)
                    throw run.Fail($"only attributes of a namespace can be set; the target of .{a.Name} is none.");
                space.Set(a.Name, value);
                break;
            case ListLiteral tuple:
                var parts = Sequences.Items(run, value);
                if (parts.Count != tuple.Items.Count)
                    throw run.Fail($"{parts.Count} values for {tuple.Items.Count} names.");
                foreach (var (part, item) in parts.Zip(tuple.Items))
                    Assign(run, scope, item, part);
                break;
        }
    }
}

/// <summary>What a body writes, as a value.</summary>
internal sealed class Captured(IReadOnlyList<Statement> body) : Expression
{
    protected override object? Evaluate(Execution run, Scope scope) => run.Capture(() => Statement.RunAll(body, run, new Scope(scope)));
}

/// <summary>Runs a body with variables of its own; in a <c>generation</c> block what it writes is the assistant's.</summary>
internal sealed class Block(IReadOnlyList<(Expression Target, Expression Value)> variables, IReadOnlyList<Statement> body, Marks marks) : Statement
{
    protected override Flow Execute(Execution run, Scope scope)
    {
        var inner = new Scope(scope);
        foreach (var (target, value) in variables)
            Assignment.Assign(run, inner, target, value.Value(run, scope));
        var added = run.Added;
        run.Added |= marks;
        // Variables set in a generation block are seen after it, as the block is only a mark.
        var flow = RunAll(body, run, marks == Marks.None ? inner : scope);
        run.Added = added;
        return flow;
    }
}

internal sealed class Macro(string name, IReadOnlyList<(string Name, Expression? Default)> parameters, IReadOnlyList<Statement> body) : Statement
{
    protected override Flow Execute(Execution run, Scope scope)
    {
        scope.Set(name, Function(scope));
        return Flow.Next;
    }

    public TemplateFunction Function(Scope scope) => (run, a) =>
    {
        var inner = new Scope(scope);
        if (a.Values.Count > parameters.Count)
            throw run.Fail($"the macro '{name}' takes {parameters.Count} arguments, not {a.Values.Count}.");
        if (a.Named.Keys.FirstOrDefault(k => k != "caller" && !parameters.Any(p => p.Name == k)) is { } unknown)
            throw run.Fail($"the macro '{name}' has no argument '{unknown}'.");
        foreach (var (i, (parameter, fallback)) in parameters.Index())
            inner.Set(parameter, i < a.Values.Count ? a.Values[i] : a.Named.TryGetValue(parameter, out var named) ? named : fallback?.Value(run, inner) ?? (fallback is null ? new Undefined(parameter) : null));
        if (a.Named.TryGetValue("caller", out var caller))
            inner.Set("caller", caller);
        var line = run.Line;
        var text = run.Capture(() => RunAll(body, run, inner));
        run.Line = line;
        return text;
    };
}

/// <summary><c>call(…) macro(…)</c>: the macro can ask for the body with <c>caller(…)</c>.</summary>
internal sealed class CallBlock(Macro caller, Expression function, ArgumentList arguments) : Statement
{
    protected override Flow Execute(Execution run, Scope scope)
    {
        if (function.Value(run, scope) is not TemplateFunction f)
            throw run.Fail("call needs a macro.");
        var given = arguments.Evaluate(run, scope);
        var result = f(run, new Arguments(given.Values, new Dictionary<string, object?>(given.Named) { ["caller"] = caller.Function(scope) }));
        run.Write(TemplateValue.ToText(run, result));
        return Flow.Next;
    }
}

/// <summary>Stands for what a block wrote, inside the filters behind it.</summary>
internal sealed class BlockValue : Expression
{
    public const string Name = " block";

    protected override object? Evaluate(Execution run, Scope scope) => scope.Find(Name);
}

/// <summary>A block's text, put through filters.</summary>
internal sealed class WithBlock(Expression filtered, Captured block) : Expression
{
    protected override object? Evaluate(Execution run, Scope scope)
    {
        var inner = new Scope(scope);
        inner.Set(BlockValue.Name, block.Value(run, scope));
        return filtered.Value(run, inner);
    }
}
