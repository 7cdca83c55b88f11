namespace LlmOps.Engines.Text.Templates;

/// <summary>A loop with the variable <c>loop</c>; what is set in a round is gone after it.</summary>
internal sealed class ForLoop(Expression target, Expression items, Expression? condition, IReadOnlyList<Statement> body, IReadOnlyList<Statement> otherwise) : Statement
{
    protected override Flow Execute(Execution run, Scope scope)
    {
        var list = Sequences.Items(run, items.Value(run, scope));
        if (condition is not null)
            list = [.. list.Where(item =>
            {
                var inner = new Scope(scope);
                Assignment.Assign(run, inner, target, item);
                return condition.IsTrue(run, inner);
            })];
        var depth = scope.Find("loop") is TemplateDictionary outer && outer.TryGet("depth", out var d) ? TemplateValue.Whole(d) : 0;
        object? last = new Undefined("changed");
        for (var i = 0; i < list.Count; i++)
        {
            var inner = new Scope(scope);
            inner.Set("loop", LoopVariable(list, i, depth + 1, value => (!TemplateValue.AreEqual(run, last, value), last = value).Item1));
            Assignment.Assign(run, inner, target, list[i]);
            if (RunAll(body, run, inner) == Flow.Break)
                break;
        }
        return list.Count == 0 ? RunAll(otherwise, run, new Scope(scope)) : Flow.Next;
    }

    private static TemplateDictionary LoopVariable(List<object?> list, int i, long depth, Func<object?, bool> changed)
    {
        var loop = new TemplateDictionary(isNamespace: true);
        foreach (var (name, value) in new (string, object?)[]
        {
            ("index", i + 1L), ("index0", (long)i), ("revindex", (long)list.Count - i), ("revindex0", list.Count - i - 1L), ("first", i == 0), ("last", i == list.Count - 1),
            ("length", (long)list.Count), ("depth", depth), ("depth0", depth - 1), ("previtem", i > 0 ? list[i - 1] : new Undefined("loop.previtem")),
            ("nextitem", i + 1 < list.Count ? list[i + 1] : new Undefined("loop.nextitem")),
            ("cycle", (TemplateFunction)((run, a) => a.Values.Count > 0 ? a.Values[i % a.Values.Count] : throw run.Fail("loop.cycle needs values."))),
            ("changed", (TemplateFunction)((_, a) => changed(a.Values.ToList()))),
        })
            loop.Set(name, value);
        return loop;
    }
}
