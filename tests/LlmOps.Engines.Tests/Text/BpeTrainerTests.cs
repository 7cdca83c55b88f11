using LlmOps.Engines.Text;

namespace LlmOps.Engines.Tests.Text;

public sealed class BpeTrainerTests
{
    // "ab" x4 (abab, ab, ab), then "abab" x1 is too rare; "cd" x2.
    [Fact]
    public void Train_MergesTheMostFrequentPairFirst()
    {
        var tokenizer = new BpeTrainer(400, 2).Train(["abab", "ab", "ab", "cd", "cd"]);

        Assert.Equal(["a b", "c d"], tokenizer.Merges);
        Assert.Equal(263, tokenizer.VocabularySize);
        Assert.Equal(261, tokenizer.TokenId("ab"));
    }

    [Fact]
    public void Train_GivesTiesToTheSmallerIds() => Assert.Equal("a x", new BpeTrainer(262, 1).Train(["zz", "ax"]).Merges.Single());

    [Fact]
    public void Train_CountsOverlappingPairsInOneWord()
    {
        var tokenizer = new BpeTrainer(400, 2).Train(["aaaaa", "aaaaa"]);

        // aa aa a: both pairs occur twice, and "a" has the smaller id than "aa".
        Assert.Equal(["a a", "aa a", "aa aaa"], tokenizer.Merges);
        Assert.Equal(["aa", "aa"], tokenizer.Encode("aaaa").Select(id => tokenizer.Vocabulary[id]));
    }

    [Fact]
    public void Train_AgreesWithCountingEverythingAnew()
    {
        var random = new Random(5);
        var texts = Enumerable.Range(0, 300).Select(_ => string.Concat(Enumerable.Range(0, random.Next(1, 12)).Select(_ => "abcde"[random.Next(5)]))).ToArray();

        Assert.Equal(NaiveMerges(texts, 60), new BpeTrainer(261 + 60, 1).Train(texts).Merges);
    }

    [Fact]
    public void Train_StopsAtTheSizeAskedFor() => Assert.Equal(270, new BpeTrainer(270, 1).Train(["the quick brown fox jumps over the lazy dog"]).VocabularySize);

    [Fact]
    public void Train_RefusesSizesAndTexts_ThatCannotWork()
    {
        Assert.Equal("The vocabulary size is 260; control tokens and bytes need 261.", Assert.Throws<ArgumentException>(() => new BpeTrainer(260).Train(["a"])).Message);
        Assert.StartsWith("There is no text", Assert.Throws<ArgumentException>(() => new BpeTrainer().Train([])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_Stops_WhenCancelled() =>
        Assert.Throws<OperationCanceledException>(() => new BpeTrainer().Train(["abc abc"], ct: new CancellationToken(true)));

    private static List<string> NaiveMerges(string[] texts, int count)
    {
        var words = texts.Select(t => t.Select(c => c.ToString()).ToList()).ToList();
        var ids = Enumerable.Range('!', 94).Select(c => ((char)c).ToString()).Index().ToDictionary(t => t.Item, t => t.Index);
        var merges = new List<string>();
        while (merges.Count < count)
        {
            var best = words.SelectMany(w => w.Zip(w.Skip(1))).GroupBy(p => p).OrderByDescending(g => g.Count()).ThenBy(g => ids[g.Key.First]).ThenBy(g => ids[g.Key.Second]).First().Key;
            merges.Add($"{best.First} {best.Second}");
            ids.TryAdd(best.First + best.Second, 1000 + merges.Count);
            foreach (var word in words)
            {
                for (var i = 0; i + 1 < word.Count; i++)
                {
                    if (word[i] == best.First && word[i + 1] == best.Second)
                    {
                        word[i] += word[i + 1];
                        word.RemoveAt(i + 1);
                    }
                }
            }
        }
        return merges;
    }
}
