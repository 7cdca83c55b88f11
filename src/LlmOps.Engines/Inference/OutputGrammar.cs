using System.Text.Json;
using LlmOps.Engines.Inference.Constraints;

namespace LlmOps.Engines.Inference;

/// <summary>
/// The texts a model may produce: JSON values that satisfy a schema. Compiled once and used for many generations on many threads.
/// </summary>
/// <remarks>
/// Every complete text is valid JSON and satisfies the schema; not every text that does is reachable. Properties come in the order of the schema; where a
/// schema lists properties and says nothing about others, there are no others; listed values, keys beside listed ones and strings with a pattern are written
/// in their shortest form; numbers have at most 18 digits before and after the point; <c>oneOf</c> is taken as <c>anyOf</c>.
/// </remarks>
public sealed class OutputGrammar
{
    /// <summary>Levels of objects and arrays inside each other.</summary>
    public const int MaxDepth = 32;

    // A term takes some hundred bytes; beyond this the grammar is compiled anew for the generations to come.
    private const int MaxTerms = 200_000;

    private readonly JsonElement schema;
    private readonly bool whitespace;
    private volatile CompiledGrammar compiled;

    private OutputGrammar(JsonElement schema, bool whitespace)
    {
        this.schema = schema.Clone();
        this.whitespace = whitespace;
        compiled = SchemaCompiler.Compile(this.schema, whitespace, MaxDepth);
    }

    /// <summary>Any JSON object.</summary>
    /// <param name="whitespace">Whether spaces and line breaks with indentation are allowed between the parts.</param>
    public static OutputGrammar AnyObject(bool whitespace = true) => FromSchema("""{"type":"object"}""", whitespace);

    /// <summary>The values of a schema.</summary>
    /// <param name="schema">JSON Schema, draft 2020-12.</param>
    /// <param name="whitespace">Whether spaces and line breaks with indentation are allowed between the parts.</param>
    /// <exception cref="ArgumentException">A keyword cannot be enforced, the schema is malformed or too large, or no value satisfies it; the message names the place.</exception>
    public static OutputGrammar FromSchema(JsonElement schema, bool whitespace = true) => new(schema, whitespace);

    /// <inheritdoc cref="FromSchema(JsonElement, bool)"/>
    public static OutputGrammar FromSchema(string schema, bool whitespace = true)
    {
        try
        {
            using var document = JsonDocument.Parse(schema);
            return new OutputGrammar(document.RootElement, whitespace);
        }
        catch (JsonException e)
        {
            throw new ArgumentException($"The schema is not valid JSON: {e.Message}", nameof(schema), e);
        }
    }

    /// <summary>Begins a generation.</summary>
    /// <param name="trie">The tokens of the model.</param>
    public TokenConstraint Start(TokenTrie trie)
    {
        ArgumentNullException.ThrowIfNull(trie);
        var current = compiled;
        if (current.TermCount > MaxTerms)
            compiled = current = SchemaCompiler.Compile(schema, whitespace, MaxDepth);
        return new TokenConstraint(current, trie, current.Start);
    }
}
