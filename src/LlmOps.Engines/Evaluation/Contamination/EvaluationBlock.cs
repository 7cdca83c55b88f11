namespace LlmOps.Engines.Evaluation.Contamination;

/// <summary>Some evaluation texts, indexed so that a training row finds those it is like. The same text in several rows is there once.</summary>
internal sealed class EvaluationBlock
{
    private sealed class Entry(ContaminationText text, ulong[] shingles)
    {
        public readonly ContaminationText Text = text;
        public readonly ulong[] Shingles = shingles;
        public readonly List<int> Rows = [];
        public ContaminatedRow? Best;
        public int Matches;
        public long SeenBy = -1;
        public long LastMatch = -1;
    }

    /// <summary>A text that is looked for inside of training rows; Grams is how many different n-grams it has without boilerplate.</summary>
    private sealed record Passage(int Entry, ContaminationText Text, int Grams);

    private readonly ContaminationOptions options;
    private readonly MinHash minHash;
    private readonly LshBanding banding;
    private readonly List<Entry> entries = [];
    private readonly Dictionary<string, int> byText = new(StringComparer.Ordinal);
    private readonly HashSet<ulong> shingles = [];
    private readonly Dictionary<ulong, int> bands = [];
    /// <summary>Entries of one band key form a chain; its links are here, one for each band of each entry.</summary>
    private readonly List<int> chains = [];
    private readonly List<(int Entry, ContaminationText Text, int N)> waiting = [];
    private readonly List<Passage> passages = [];
    /// <summary>n → n-gram → the first link of the chain of passages that have it.</summary>
    private readonly SortedDictionary<int, Dictionary<ulong, int>> grams = [];
    private readonly List<(int Passage, int Next)> holders = [];
    private readonly ulong[] signature, keys;

    public EvaluationBlock(ContaminationOptions options)
    {
        this.options = options;
        banding = options.Banding;
        minHash = new(banding.Components, options.Seed);
        signature = new ulong[banding.Components];
        keys = new ulong[banding.Bands];
    }

    public int Rows { get; private set; }
    public int BlankRows { get; private set; }
    public int ShortRows { get; private set; }
    public long Characters { get; private set; }
    public long Candidates { get; private set; }
    public bool IsFull => Rows >= options.BlockRows || Characters >= options.BlockCharacters;

    public void Add(ContaminationRow row)
    {
        Rows++;
        var text = ContaminationText.Of(row.Text);
        if (text.IsBlank)
        {
            BlankRows++;
            return;
        }
        if (!byText.TryGetValue(text.Normalized, out var index))
        {
            byText[text.Normalized] = index = entries.Count;
            var entry = new Entry(text, WordHash.Distinct(WordHash.Windows(text.Hashes, options.ShingleWords)));
            entries.Add(entry);
            Characters += text.Normalized.Length;
            Sketch(entry);
            foreach (var passage in (row.Passages ?? []).Select(ContaminationText.Of).Prepend(text).Where(p => p.Words >= options.FewestWords).DistinctBy(p => p.Normalized))
                waiting.Add((index, passage, Math.Min(passage.Words, options.NgramWords)));
        }
        if (text.Words < options.FewestWords)
            ShortRows++;
        entries[index].Rows.Add(row.Number);
    }

    private void Sketch(Entry entry)
    {
        if (entry.Shingles.Length > 0)
        {
            shingles.UnionWith(entry.Shingles);
            minHash.Signature(entry.Shingles, signature);
            banding.Keys(signature, keys);
        }
        foreach (var key in keys)
        {
            chains.Add(entry.Shingles.Length > 0 && bands.TryGetValue(key, out var next) ? next : -1);
            if (entry.Shingles.Length > 0)
                bands[key] = chains.Count - 1;
        }
    }

    /// <summary>Indexes the n-grams; which of them are boilerplate is known only when all texts are there.</summary>
    public void Close()
    {
        var texts = new Dictionary<(int N, ulong Gram), (int Count, int Last)>();
        var own = waiting.ConvertAll(w => WordHash.Distinct(WordHash.Windows(w.Text.Hashes, w.N)));
        // The passages of an entry follow each other, so the last one that had a gram says whether this one is another.
        foreach (var (i, w) in waiting.Index())
            foreach (var gram in own[i])
                if (!texts.TryGetValue((w.N, gram), out var seen))
                    texts[(w.N, gram)] = (1, w.Entry);
                else if (seen.Last != w.Entry)
                    texts[(w.N, gram)] = (seen.Count + 1, w.Entry);
        foreach (var (i, w) in waiting.Index())
        {
            var telling = own[i].Where(g => texts[(w.N, g)].Count <= options.MostTextsOfAnNgram).ToList();
            if (telling.Count == 0)
                continue;
            if (!grams.TryGetValue(w.N, out var index))
                grams[w.N] = index = [];
            foreach (var gram in telling)
            {
                holders.Add((passages.Count, index.GetValueOrDefault(gram, -1)));
                index[gram] = holders.Count - 1;
            }
            passages.Add(new(w.Entry, w.Text, telling.Count));
        }
        waiting.Clear();
    }

    public void Compare(ContaminationRow row, long ordinal)
    {
        var text = ContaminationText.Of(row.Text);
        if (text.IsBlank)
            return;
        if (byText.TryGetValue(text.Normalized, out var same))
            Found(entries[same], row, ordinal, ContaminationKind.Exact, 1);
        CompareShingles(text, row, ordinal);
        foreach (var (n, index) in grams)
            CompareGrams(text, row, ordinal, n, index);
    }

    private void CompareShingles(ContaminationText text, ContaminationRow row, long ordinal)
    {
        var set = WordHash.Distinct(WordHash.Windows(text.Hashes, options.ShingleWords));
        // |A ∩ B| ≥ t·|A ∪ B| ≥ t·|B|: a row with fewer of the block's shingles is like none of its texts, and needs no signature. This loses nothing.
        var known = 0;
        foreach (var shingle in set)
            known += shingles.Contains(shingle) ? 1 : 0;
        if (known == 0 || known < options.Threshold * set.Length)
            return;
        minHash.Signature(set, signature);
        banding.Keys(signature, keys);
        foreach (var key in keys)
            for (var at = bands.GetValueOrDefault(key, -1); at >= 0; at = chains[at])
            {
                var entry = entries[at / banding.Bands];
                if (entry.SeenBy == ordinal || entry.Matches >= options.MostMatches)
                    continue;
                entry.SeenBy = ordinal;
                Candidates++;
                // The hashes refuse quickly; what they accept is confirmed on the words.
                if (Jaccard.OfSorted(entry.Shingles, set) >= options.Threshold && Jaccard.OfTexts(entry.Text, text, options.ShingleWords) is var jaccard && jaccard >= options.Threshold)
                    Found(entry, row, ordinal, ContaminationKind.Near, jaccard);
            }
    }

    private void CompareGrams(ContaminationText text, ContaminationRow row, long ordinal, int n, Dictionary<ulong, int> index)
    {
        Dictionary<int, HashSet<ulong>>? hits = null;
        foreach (var gram in WordHash.Windows(text.Hashes, n))
            for (var at = index.GetValueOrDefault(gram, -1); at >= 0; at = holders[at].Next)
            {
                hits ??= [];
                if (!hits.TryGetValue(holders[at].Passage, out var found))
                    hits[holders[at].Passage] = found = [];
                found.Add(gram);
            }
        if (hits is null)
            return;
        HashSet<string>? windows = null;
        foreach (var (passage, found) in hits)
        {
            var (p, entry) = (passages[passage], entries[passages[passage].Entry]);
            if (found.Count < options.Containment * p.Grams || entry.Matches >= options.MostMatches)
                continue;
            // Confirmed on the words, like the shingles.
            windows ??= Jaccard.Windows(text, n);
            var held = WordHash.Windows(p.Text.Hashes, n).Index().Where(g => index.ContainsKey(g.Item)).Select(g => p.Text.Window(g.Index, n)).Where(windows.Contains).Distinct(StringComparer.Ordinal).Count();
            if (held >= options.Containment * p.Grams)
                Found(entry, row, ordinal, ContaminationKind.Contained, Math.Min(1, (double)held / p.Grams));
        }
    }

    private static void Found(Entry entry, ContaminationRow row, long ordinal, ContaminationKind kind, double similarity)
    {
        // The training row was counted already when another rule, or another passage, found it too.
        if (entry.LastMatch != ordinal)
            entry.Matches++;
        entry.LastMatch = ordinal;
        if (entry.Best is null || (kind, similarity).CompareTo((entry.Best.Kind, entry.Best.Similarity)) > 0)
            entry.Best = new(-1, row.Number, kind, similarity, 0);
    }

    public IEnumerable<ContaminatedRow> Found() => entries.Where(e => e.Best is not null).SelectMany(e => e.Rows.Select(r => e.Best! with { Row = r, TrainingRows = e.Matches }));
}
