namespace LlmOps.Engines.Inference.Constraints;

internal enum TermKind : byte
{
    /// <summary>No text at all.</summary>
    Fail,
    /// <summary>The empty text.</summary>
    Empty,
    /// <summary>One byte of a set.</summary>
    Bytes,
    /// <summary>A, then B.</summary>
    Seq,
    /// <summary>Any of the items.</summary>
    Alt,
    /// <summary>A, Min to Max times.</summary>
    Repeat,
    /// <summary>What the rule number Min stands for with Max levels of nesting left; expanded when needed.</summary>
    Rule,
    /// <summary>A as one lexical unit: never spread over the sequence it stands in, so that what is known about it does not depend on what follows.</summary>
    Atom,
    /// <summary>Texts of both A and B.</summary>
    And,
    /// <summary>Every text that is not one of A.</summary>
    Not,
}

/// <summary>
/// A set of byte strings. Terms are made by a <see cref="TermPool"/>, which makes each only once: the same term is the same object. What may still
/// come after some bytes is again a term, so a term is also the state of a generation.
/// </summary>
internal sealed class Term(int id, TermKind kind, bool nullable)
{
    public int Id { get; } = id;
    public TermKind Kind { get; } = kind;

    /// <summary>Whether the empty text belongs to the set: the text may end here.</summary>
    public bool Nullable { get; } = nullable;

    public Term A { get; init; } = null!;
    public Term B { get; init; } = null!;
    public int Min { get; init; }
    public int Max { get; init; }
    public Term[] Items { get; init; } = [];
    public ByteSet Set { get; init; }

    /// <summary>Whether it holds an intersection or a complement, and so may be a set without texts although it is not <see cref="TermKind.Fail"/>.</summary>
    public bool HasIntersection { get; init; }

    /// <summary>Derivatives computed so far, by byte.</summary>
    public Term?[]? Next { get; set; }

    /// <summary>A rule's expansion.</summary>
    public Term? Body { get; set; }

    /// <summary>Whether any text is left; decided for terms with an intersection only.</summary>
    public bool? IsLive { get; set; }
}
