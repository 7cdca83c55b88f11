using System.Security.Cryptography;
using System.Text;

namespace LlmOps.Engines.Text;

/// <summary>Divides rows into training and held-out by their headword, so that no headword is on both sides in any dataset.</summary>
public static class Split
{
    /// <summary>
    /// True for 26 of 256 headwords (10.2 %): the first byte of SHA-256 of the lower-case headword (invariant, UTF-8) is below 26.
    /// A hash rather than a drawn list, so that a headword added later does not move the others.
    /// </summary>
    public static bool IsHeldOut(string headword) => SHA256.HashData(Encoding.UTF8.GetBytes(headword.ToLowerInvariant()))[0] < 26;
}
