using LlmOps.Engines.Text.Tokenization;

namespace LlmOps.Engines.Tests.Text;

public sealed class BpeMergingTests
{
    // Long words are merged with a heap, short ones by looking through all pairs again: the same merges in the same order.
    [Fact]
    public void Heap_MergesAsScanDoes()
    {
        var random = new Random(2);
        for (var round = 0; round < 500; round++)
        {
            var (merges, texts) = (new PairTable(40), new List<string> { "a", "b", "c" });
            for (var rank = 0; rank < random.Next(1, 40); rank++)
            {
                var (left, right) = (random.Next(texts.Count), random.Next(texts.Count));
                // Two ways to the same string give the same token, as in a vocabulary; equal ranks go from left to right.
                if (texts.IndexOf(texts[left] + texts[right]) is var id && id < 0)
                {
                    id = texts.Count;
                    texts.Add(texts[left] + texts[right]);
                }
                merges[left, right] = new BpeMerge(random.Next(2) == 0 ? rank : rank / 4, id);
            }
            int[] symbols = [.. Enumerable.Range(0, random.Next(2, 200)).Select(_ => random.Next(3))], copy = [.. symbols];

            var scanned = symbols[..BpeMerging.Scan(symbols, merges)];

            Assert.Equal(scanned, copy[..BpeMerging.Heap(copy, merges)]);
            Assert.True(scanned.Length < symbols.Length || !symbols.Zip(symbols.Skip(1)).Any(p => merges[p.First, p.Second].Id >= 0));
        }
    }
}
