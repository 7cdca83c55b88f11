namespace LlmOps.Engines.Evaluation.Contamination;

/// <summary>When two rows count as the same or nearly the same. The defaults are what LlmOps states everywhere.</summary>
public sealed record ContaminationOptions
{
    /// <summary>Words of a shingle, the element of the sets whose Jaccard similarity is taken.</summary>
    public int ShingleWords { get; init; } = 3;
    /// <summary>Rows whose shingles are at least this similar are near-duplicates, Jaccard.</summary>
    public double Threshold { get; init; } = 0.8;
    /// <summary>Words of the n-grams that show that a row is contained in a longer one: 13, as in the report on GPT-3 and in lm-evaluation-harness.</summary>
    public int NgramWords { get; init; } = 13;
    /// <summary>A text of fewer words than <see cref="NgramWords"/> is looked for as a whole; of fewer than this not at all, because few words meet by chance.</summary>
    public int FewestWords { get; init; } = 8;
    /// <summary>Share of a row's n-grams that one training row must hold.</summary>
    public double Containment { get; init; } = 0.8;
    /// <summary>An n-gram in more evaluation texts than this is boilerplate (an instruction, a template) and says nothing.</summary>
    public int MostTextsOfAnNgram { get; init; } = 10;
    /// <summary>Length of a MinHash signature.</summary>
    public int Permutations { get; init; } = 128;
    /// <summary>Probability with which a pair just at the threshold is looked at.</summary>
    public double Recall { get; init; } = 0.999;
    /// <summary>Of the permutations: the same seed gives the same candidates everywhere.</summary>
    public ulong Seed { get; init; } = 1;
    /// <summary>Evaluation rows that are in memory at once; the training rows are read once for each such block.</summary>
    public int BlockRows { get; init; } = 65_536;
    /// <summary>The same for characters of normalised text.</summary>
    public long BlockCharacters { get; init; } = 64L << 20;
    /// <summary>After so many training rows alike, a text is not compared any more: that it is contaminated is known.</summary>
    public int MostMatches { get; init; } = 100;

    internal LshBanding Banding => LshBanding.For(Permutations, Threshold, Recall);

    /// <exception cref="ArgumentOutOfRangeException">When a value makes no sense; the message names it.</exception>
    public void EnsureValid()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(ShingleWords, 1);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Threshold);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Threshold, 1);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(Containment);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Containment, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(FewestWords, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(NgramWords, FewestWords);
        ArgumentOutOfRangeException.ThrowIfLessThan(MostTextsOfAnNgram, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(BlockRows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(BlockCharacters, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MostMatches, 1);
        _ = Banding;
    }
}
