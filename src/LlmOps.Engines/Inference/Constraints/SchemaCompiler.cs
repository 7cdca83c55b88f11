using System.Text.Json;

namespace LlmOps.Engines.Inference.Constraints;

/// <summary>
/// Turns a JSON Schema into terms. Schemas of values inside objects and arrays become rules, expanded when a text gets there, so that schemas may refer to
/// themselves; a rule knows how many levels of nesting its smallest value needs, and is not offered where fewer are left.
/// </summary>
internal sealed class SchemaCompiler
{
    private const int MaxRules = 2000;
    private const int NeverFits = int.MaxValue;

    private readonly SchemaAlternatives alternatives;
    private readonly TermPool pool;
    private readonly JsonTerms json;
    private readonly ScalarSchema scalars;
    private readonly ContainerSchema containers;
    private readonly Dictionary<string, int> ruleOf = [];
    private readonly List<(List<List<SchemaPlace>> Alternatives, int Height)> rules = [];
    private bool discovering = true;

    private SchemaCompiler(JsonElement root, bool whitespace)
    {
        alternatives = new SchemaAlternatives(root);
        pool = new TermPool((rule, depth) => Value(rules[rule].Alternatives, depth));
        json = new JsonTerms(pool, whitespace);
        scalars = new ScalarSchema(pool, json);
        containers = new ContainerSchema(pool, json, RuleFor);
    }

    /// <exception cref="ArgumentException">The schema is not supported, or no value satisfies it.</exception>
    public static CompiledGrammar Compile(JsonElement schema, bool whitespace, int maxDepth)
    {
        var compiler = new SchemaCompiler(schema, whitespace);
        var start = compiler.RuleFor([new SchemaPlace("", schema)], maxDepth);
        compiler.FindHeights(maxDepth);
        if (compiler.rules[start.Min].Height > maxDepth)
            throw new ArgumentException($"No value with at most {maxDepth} levels of nesting satisfies the schema.");
        return new CompiledGrammar(compiler.pool, compiler.pool.Body(start));
    }

    /// <summary>The rule for values that satisfy all of some schemas.</summary>
    private Term RuleFor(IReadOnlyList<SchemaPlace> schemas, int depth)
    {
        var key = string.Join('\n', schemas.Select(s => s.Path.Length > 0 || s.Json.ValueKind != JsonValueKind.Object ? s.Path : s.Json.GetRawText()).Order(StringComparer.Ordinal));
        if (!ruleOf.TryGetValue(key, out var rule))
        {
            if (rules.Count >= MaxRules)
                throw schemas[0].Error($"the schema has more than {MaxRules} different parts.");
            ruleOf[key] = rule = rules.Count;
            rules.Add((alternatives.Of(schemas), NeverFits));
        }
        return discovering || rules[rule].Height <= depth ? pool.Rule(rule, depth) : pool.Fail;
    }

    private void FindHeights(int maxDepth)
    {
        for (var rule = 0; rule < rules.Count; rule++) // the list grows while rules are met
            Value(rules[rule].Alternatives, 1);
        discovering = false;
        var changed = true;
        for (var depth = 0; depth <= maxDepth && (changed || depth < 2); depth++)
        {
            changed = false;
            var fitting = Enumerable.Range(0, rules.Count).Where(r => rules[r].Height == NeverFits && Value(rules[r].Alternatives, depth) != pool.Fail).ToList();
            foreach (var rule in fitting)
            {
                rules[rule] = (rules[rule].Alternatives, depth);
                changed = true;
            }
        }
    }

    private Term Value(List<List<SchemaPlace>> ways, int depth) => pool.Alt([.. ways.Select(w => Value(w, depth))]);

    private Term Value(List<SchemaPlace> schemas, int depth)
    {
        var kinds = ValueKinds.Of(schemas);
        if (schemas.Exists(s => s.Find("enum") is not null || s.Find("const") is not null))
            return Listed(schemas, kinds, depth);
        return pool.Alt(
            kinds.HasFlag(Kinds.Null) ? json.Text("null") : pool.Fail,
            kinds.HasFlag(Kinds.Boolean) ? pool.Alt(json.Text("true"), json.Text("false")) : pool.Fail,
            kinds.HasFlag(Kinds.Fractional) ? scalars.Number(schemas, whole: false) : kinds.HasFlag(Kinds.Whole) ? scalars.Number(schemas, whole: true) : pool.Fail,
            kinds.HasFlag(Kinds.String) ? scalars.String(schemas) : pool.Fail,
            kinds.HasFlag(Kinds.Object) && depth > 0 ? containers.Object(schemas, depth - 1) : pool.Fail,
            kinds.HasFlag(Kinds.Array) && depth > 0 ? containers.Array(schemas, depth - 1) : pool.Fail);
    }

    private Term Listed(List<SchemaPlace> schemas, Kinds kinds, int depth)
    {
        IEnumerable<JsonElement>? values = null;
        foreach (var place in schemas)
        {
            if (place.Find("const") is { } constant)
                values = Both(values, [constant]);
            if (place.Find("enum", JsonValueKind.Array, "a list of values") is { } list)
                values = Both(values, [.. list.EnumerateArray()]);
        }
        var texts = new List<Term>();
        foreach (var value in values!)
        {
            var text = JsonTerms.Compact(value);
            if (text.Length > ContainerSchema.MaxLiteralBytes)
                throw schemas[0].Error($"a listed value is longer than {ContainerSchema.MaxLiteralBytes} bytes.");
            if (Fits(schemas, kinds, value, text, depth))
                texts.Add(pool.Literal(text));
        }
        return pool.Alt([.. texts]);
    }

    private static List<JsonElement> Both(IEnumerable<JsonElement>? a, List<JsonElement> b) =>
        a is null ? b : [.. a.Where(x => b.Exists(y => JsonElement.DeepEquals(x, y)))];

    // Listed values that the other keywords refuse are left out.
    private bool Fits(List<SchemaPlace> schemas, Kinds kinds, JsonElement value, byte[] text, int depth)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object or JsonValueKind.Array:
                if (schemas.Find(s => ContainerSchema.Keywords.Any(k => s.Find(k) is not null)) is { Json.ValueKind: JsonValueKind.Object } place)
                    throw place.Error("listed objects and arrays together with keywords about their content are not supported.");
                return kinds.HasFlag(value.ValueKind == JsonValueKind.Object ? Kinds.Object : Kinds.Array) && depth > 0;
            case JsonValueKind.String:
                return kinds.HasFlag(Kinds.String) && Accepts(scalars.String(schemas), text);
            case JsonValueKind.Number:
                // 1.0 is a whole number too, so it is asked about as the number it is.
                var whole = !value.TryGetDouble(out var number) || number == Math.Floor(number);
                return kinds.HasFlag(whole ? Kinds.Whole : Kinds.Fractional) && Accepts(scalars.Number(schemas, whole: false), text);
            case JsonValueKind.Null:
                return kinds.HasFlag(Kinds.Null);
            default:
                return kinds.HasFlag(Kinds.Boolean);
        }
    }

    private bool Accepts(Term term, byte[] text)
    {
        foreach (var b in text)
            term = pool.Next(term, b);
        return term.Nullable;
    }
}
