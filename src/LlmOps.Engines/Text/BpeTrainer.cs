using System.Text;

namespace LlmOps.Engines.Text;

/// <summary>
/// Learns a byte-level BPE vocabulary (Sennrich et al. 2016 over the bytes of GPT-2): starting from 256 bytes, the most frequent pair of neighbouring
/// tokens becomes a token, again and again. Ties go to the pair with the smaller ids, so that the same texts always give the same tokenizer.
/// </summary>
/// <param name="VocabularySize">Tokens wanted, with control tokens and bytes; fewer result when no pair is frequent enough.</param>
/// <param name="MinFrequency">Pairs seen less often are not merged.</param>
public sealed record BpeTrainer(int VocabularySize = 3072, int MinFrequency = 2)
{
    // Longer runs are separators or encoded data: they teach nothing about a language, and each merge would walk through all of them.
    private const int MaxWordBytes = 256;

    /// <summary>Reads the texts once and learns.</summary>
    /// <param name="texts">Plain texts; words do not reach over the end of one.</param>
    /// <param name="progress">Share of merges done, 0 to 1.</param>
    /// <param name="ct">Stops the training.</param>
    /// <exception cref="ArgumentException">The vocabulary is too small for control tokens and bytes, the frequency is not positive, or there is no text.</exception>
    public Tokenizer Train(IEnumerable<string> texts, IProgress<double>? progress = null, CancellationToken ct = default)
    {
        var vocabulary = new List<string>(SpecialTokens.All);
        vocabulary.AddRange(Enumerable.Range(0, 256).Select(b => ByteAlphabet.CharOf((byte)b)).Order().Select(c => c.ToString()));
        if (VocabularySize < vocabulary.Count)
            throw new ArgumentException($"The vocabulary size is {VocabularySize}; control tokens and bytes need {vocabulary.Count}.");
        if (MinFrequency < 1)
            throw new ArgumentException($"The minimum frequency is {MinFrequency}; it must be at least 1.");
        var ids = vocabulary.Index().ToDictionary(t => t.Item, t => t.Index, StringComparer.Ordinal);
        var pairs = new PairCounts(CountWords(texts, ids, ct));
        var merges = new List<string>();
        var (first, wanted) = (vocabulary.Count, VocabularySize - vocabulary.Count);
        while (vocabulary.Count < VocabularySize && pairs.MostFrequent(MinFrequency) is var (left, right))
        {
            ct.ThrowIfCancellationRequested();
            var token = vocabulary[left] + vocabulary[right];
            // Two ways to the same string share an id, as in Hugging Face's trainer.
            if (!ids.TryGetValue(token, out var id))
            {
                ids[token] = id = vocabulary.Count;
                vocabulary.Add(token);
            }
            merges.Add($"{vocabulary[left]} {vocabulary[right]}");
            pairs.Merge(left, right, id);
            if (merges.Count % 64 == 0)
                progress?.Report((vocabulary.Count - first) / (double)wanted);
        }
        progress?.Report(1);
        return new Tokenizer(vocabulary, merges);
    }

    private static List<(int[] Symbols, int Count)> CountWords(IEnumerable<string> texts, Dictionary<string, int> ids, CancellationToken ct)
    {
        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        var bySpan = counts.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var text in texts)
        {
            ct.ThrowIfCancellationRequested();
            for (var rest = text.AsSpan(); rest.Length > 0;)
            {
                var length = WordSplitter.Next(rest);
                System.Runtime.InteropServices.CollectionsMarshal.GetValueRefOrAddDefault(bySpan, rest[..length], out _)++;
                rest = rest[length..];
            }
        }
        if (counts.Count == 0)
            throw new ArgumentException("There is no text to learn a vocabulary from.", nameof(texts));
        var idOfByte = Enumerable.Range(0, 256).Select(b => ids[ByteAlphabet.CharOf((byte)b).ToString()]).ToArray();
        var words = new List<(int[], int)>(counts.Count);
        // Sorted, because the order in which pairs are first seen must not depend on how a hash table is laid out.
        foreach (var (word, count) in counts.OrderBy(c => c.Key, StringComparer.Ordinal))
        {
            var bytes = Encoding.UTF8.GetBytes(word);
            if (bytes.Length <= MaxWordBytes)
                words.Add((Array.ConvertAll(bytes, b => idOfByte[b]), count));
        }
        return words;
    }
}
