namespace LlmOps.Engines.Inference.Constraints;

/// <summary>A set of byte values.</summary>
internal readonly record struct ByteSet(UInt128 Low, UInt128 High)
{
    public static ByteSet All { get; } = new(UInt128.MaxValue, UInt128.MaxValue);

    public bool IsEmpty => Low == 0 && High == 0;

    public bool Contains(byte b) => ((b < 128 ? Low >> b : High >> (b - 128)) & 1) != 0;

    public static ByteSet Of(ReadOnlySpan<byte> bytes)
    {
        var set = default(ByteSet);
        foreach (var b in bytes)
            set |= Range(b, b);
        return set;
    }

    public static ByteSet Range(byte first, byte last)
    {
        var set = default(ByteSet);
        for (int b = first; b <= last; b++)
            set |= b < 128 ? new ByteSet(UInt128.One << b, 0) : new ByteSet(0, UInt128.One << (b - 128));
        return set;
    }

    /// <summary>The bytes that differ in membership from the byte before them: where a run of bytes that behave alike begins.</summary>
    public ByteSet Edges => new(Low ^ (Low << 1), High ^ (High << 1 | Low >> 127));

    public static ByteSet operator |(ByteSet a, ByteSet b) => new(a.Low | b.Low, a.High | b.High);
}
