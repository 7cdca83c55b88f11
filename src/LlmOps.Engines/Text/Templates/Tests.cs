namespace LlmOps.Engines.Text.Templates;

/// <summary>Jinja's tests: <c>value is name</c>.</summary>
internal static class Tests
{
    private static readonly Dictionary<string, Func<Execution, object?, Arguments, bool>> All = new(StringComparer.Ordinal)
    {
        ["defined"] = (_, v, _) => v is not Undefined,
        ["undefined"] = (_, v, _) => v is Undefined,
        ["none"] = (_, v, _) => v is null,
        ["true"] = (_, v, _) => v is true,
        ["false"] = (_, v, _) => v is false,
        ["boolean"] = (_, v, _) => v is bool,
        ["integer"] = (_, v, _) => v is long,
        ["float"] = (_, v, _) => v is double,
        ["number"] = (_, v, _) => v is long or double or bool,
        ["string"] = (_, v, _) => v is MarkedText,
        ["mapping"] = (_, v, _) => v is TemplateDictionary { IsNamespace: false },
        ["sequence"] = (_, v, _) => v is List<object?> or MarkedText or TemplateDictionary { IsNamespace: false } or Undefined,
        ["iterable"] = (_, v, _) => v is List<object?> or MarkedText or TemplateDictionary { IsNamespace: false } or Undefined,
        ["callable"] = (_, v, _) => v is TemplateFunction,
        ["odd"] = (run, v, _) => Operators.Binary(run, "%", v, 2L) is 1L,
        ["even"] = (run, v, _) => Operators.Binary(run, "%", v, 2L) is 0L,
        ["divisibleby"] = (run, v, a) => Operators.Binary(run, "%", v, a.Get(0, "num")) is 0L,
        ["lower"] = (run, v, _) => TemplateValue.ToText(run, v).Text is var t && t.Any(char.IsLower) && !t.Any(char.IsUpper),
        ["upper"] = (run, v, _) => TemplateValue.ToText(run, v).Text is var t && t.Any(char.IsUpper) && !t.Any(char.IsLower),
        ["in"] = (run, v, a) => Sequences.Contains(run, a.Get(0, "seq"), v),
        ["sameas"] = (_, v, a) => ReferenceEquals(v, a.Get(0, "other")) || (v is bool or long && Equals(v, a.Get(0, "other"))),
        ["filter"] = (_, v, _) => v is MarkedText t && Filters.Exists(t.Text),
        ["test"] = (_, v, _) => v is MarkedText t && Exists(t.Text),
        ["eq"] = Comparison("=="), ["equalto"] = Comparison("=="), ["=="] = Comparison("=="),
        ["ne"] = Comparison("!="), ["!="] = Comparison("!="),
        ["lt"] = Comparison("<"), ["lessthan"] = Comparison("<"), ["<"] = Comparison("<"),
        ["le"] = Comparison("<="), ["<="] = Comparison("<="),
        ["gt"] = Comparison(">"), ["greaterthan"] = Comparison(">"), [">"] = Comparison(">"),
        ["ge"] = Comparison(">="), [">="] = Comparison(">="),
    };

    public static bool Exists(string name) => All.ContainsKey(name);

    public static bool Holds(Execution run, string name, object? value, Arguments a) => All[name](run, value, a);

    private static Func<Execution, object?, Arguments, bool> Comparison(string op) => (run, v, a) => Operators.Compare(run, op, v, a.Get(0, "other"));
}
