using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace LlmOps.Lifecycle.Identity;

/// <summary>The end of the chain at some moment. Whoever wrote it down elsewhere notices when what came before it changes.</summary>
public sealed record AuditHeadNote(long Sequence, string Hash)
{
    public override string ToString() => $"{Sequence.ToString(CultureInfo.InvariantCulture)}:{Hash}";

    public static AuditHeadNote Parse(string text) =>
        text.Split(':') is [var sequence, { Length: 64 } hash] && long.TryParse(sequence, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && hash.All(char.IsAsciiHexDigitLower)
            ? new(number, hash)
            : throw LlmOpsException.Invalid($"'{text}' is no audit head. Write number:hash as 'llmops audit head' prints it.");
}

/// <summary>Something in the trail that is not as it was written.</summary>
public sealed record AuditProblem(long? Sequence, string What);

public sealed record AuditChainReport(bool IsIntact, long Entries, AuditHeadNote? Head, IReadOnlyList<AuditProblem> Problems)
{
    public string Words => IsIntact
        ? $"The chain of {Entries} entries is intact. Its end is {Head?.ToString() ?? "empty"}."
        : $"The audit trail was changed: {Problems[0].What}{(Problems.Count > 1 ? $" And {Problems.Count - 1} more." : "")}";
}

/// <summary>
/// Each entry's hash covers its content, its place and the hash before it. Editing, deleting, inserting or reordering an entry breaks the chain where
/// it happened. Whoever can write the database can also compute a whole new chain: only a head noted elsewhere shows that.
/// </summary>
public static class AuditChain
{
    private const int MostProblems = 20;

    /// <summary>What the first entry follows.</summary>
    public const string Start = "0000000000000000000000000000000000000000000000000000000000000000";

    /// <summary>SHA-256 of a JSON array of place, hash before, time, actor, action, subject and values: an array has one spelling, so nothing can move from one field into the next.</summary>
    public static string Hash(AuditEntry entry, long sequence, string previous) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(JsonSerializer.Serialize<object?[]>(
        [sequence, previous, entry.At.ToUnixTimeMilliseconds(), entry.ActorId.ToString("D"), entry.ActorName, entry.Action, entry.Subject, entry.SubjectId, entry.Before, entry.After]))));

    public static void Append(AuditEntry entry, long sequence, string previous)
    {
        entry.Sequence = sequence;
        entry.PreviousHash = previous;
        entry.Hash = Hash(entry, sequence, previous);
    }

    /// <summary>Reads the whole chain in its order.</summary>
    /// <param name="entries">By sequence; those without one last.</param>
    /// <param name="stored">The end that the database itself knows, or null.</param>
    /// <param name="noted">Heads written down elsewhere.</param>
    public static async Task<AuditChainReport> CheckAsync(IAsyncEnumerable<AuditEntry> entries, AuditHeadNote? stored, IReadOnlyList<AuditHeadNote> noted, CancellationToken ct = default)
    {
        var problems = new List<AuditProblem>();
        void Found(long? sequence, string what)
        {
            if (problems.Count < MostProblems)
                problems.Add(new(sequence, what));
        }
        var wanted = noted.ToLookup(n => n.Sequence, n => n.Hash);
        var (count, previous, expected) = (0L, Start, 1L);
        await foreach (var entry in entries.WithCancellation(ct))
        {
            count++;
            if (entry.Sequence is not { } sequence || entry.Hash is null)
            {
                Found(null, $"the entry {entry.Id} ({entry.Action} {entry.Subject}) was added beside the chain.");
                continue;
            }
            if (sequence != expected)
                Found(sequence, sequence > expected ? $"{(sequence == expected + 1 ? $"entry {expected} is" : $"entries {expected} to {sequence - 1} are")} gone." : $"there are two entries {sequence}.");
            else if (entry.PreviousHash != previous)
                Found(sequence, $"entry {sequence} does not follow entry {sequence - 1}: one of them was replaced.");
            if (Hash(entry, sequence, entry.PreviousHash ?? "") != entry.Hash)
                Found(sequence, $"entry {sequence} ({entry.Action} {entry.Subject} by {entry.ActorName}) was edited.");
            foreach (var hash in wanted[sequence].Where(h => h != entry.Hash))
                Found(sequence, $"entry {sequence} is not the one whose hash was noted ({hash[..12]}…): the chain was written anew.");
            (previous, expected) = (entry.Hash, sequence + 1);
        }
        foreach (var head in noted.Append(stored).OfType<AuditHeadNote>().Where(h => h.Sequence >= expected).DistinctBy(h => h.Sequence))
            Found(head.Sequence, $"the chain ends at entry {expected - 1}, but it once had {head.Sequence}: its end was cut off.");
        if (stored is not null && stored.Sequence == expected - 1 && stored.Sequence > 0 && stored.Hash != previous)
            Found(stored.Sequence, "the stored end of the chain is not its last entry.");
        return new(problems.Count == 0, count, expected == 1 ? null : new(expected - 1, previous), problems);
    }
}
