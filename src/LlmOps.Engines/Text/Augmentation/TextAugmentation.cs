namespace LlmOps.Engines.Text.Augmentation;

/// <summary>How a text is changed.</summary>
public enum TextChange
{
    /// <summary>Letters are swapped, dropped, doubled or replaced, each with the rate as probability.</summary>
    CharacterNoise,
    /// <summary>A word changes places with the next one, each with the rate as probability.</summary>
    WordNoise,
    /// <summary>A word is left out, each with the rate as probability; at least one stays.</summary>
    WordDropout,
    /// <summary>A word that has synonyms is replaced by one of them, each with the rate as probability.</summary>
    Synonyms,
    /// <summary>The question is put into one of the templates, with the rate as probability for the whole question.</summary>
    Paraphrase,
}

/// <summary>One way of changing texts.</summary>
/// <param name="Change">What is done.</param>
/// <param name="Rate">Probability, above 0 and at most 1.</param>
public sealed record AugmentationRule(TextChange Change, double Rate);

/// <summary>What was done to one example in one epoch.</summary>
/// <param name="Example">Number of the example it was made from, from 0.</param>
/// <param name="Epoch">Epoch, from 0.</param>
/// <param name="Changes">Number of changes of each kind, kinds without any left out.</param>
public sealed record AugmentationRecord(int Example, int Epoch, IReadOnlyDictionary<TextChange, int> Changes);

/// <summary>
/// Changes what an example is asked with, so that every epoch sees other questions: the prompt, the turns of the user, all of a plain text. Answers stay as they are.
/// A pure function of seed, epoch and the example's number.
/// </summary>
public sealed record TextAugmentation
{
    /// <summary>Place of the question in a template.</summary>
    public const string Question = "{prompt}";

    /// <summary>What is done, in this order.</summary>
    public IReadOnlyList<AugmentationRule> Rules { get; init; } = [];

    /// <summary>Words in lower case with what may stand for them.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Synonyms { get; init; } = new Dictionary<string, IReadOnlyList<string>>();

    /// <summary>Templates with <see cref="Question"/> in them, such as <c>Please answer: {prompt}</c>.</summary>
    public IReadOnlyList<string> Templates { get; init; } = [];

    /// <summary>Seed.</summary>
    public int Seed { get; init; }

    /// <summary>The example as this epoch sees it, with what was done; null when nothing was.</summary>
    public (FineTuningExample Example, AugmentationRecord? Record) Apply(FineTuningExample example, int epoch, int index)
    {
        ArgumentNullException.ThrowIfNull(example);
        var random = new Random(SeedOf(Seed, epoch, index));
        var changes = new SortedDictionary<TextChange, int>();
        FineTuningExample changed = example switch
        {
            TextExample text => text with { Text = Change(text.Text, isQuestion: false) },
            AnswerExample answer => answer with { Prompt = Change(answer.Prompt, isQuestion: true) },
            ConversationExample talk => talk with { Turns = [.. talk.Turns.Select(t => t.Role == "user" ? t with { Content = Change(t.Content, isQuestion: true) } : t)] },
            _ => example,
        };
        return changes.Count == 0 ? (example, null) : (changed, new AugmentationRecord(index, epoch, changes));

        string Change(string text, bool isQuestion)
        {
            foreach (AugmentationRule rule in Rules)
            {
                if (rule.Change == TextChange.Paraphrase && !isQuestion) continue;
                (text, int count) = rule.Change switch
                {
                    TextChange.CharacterNoise => TextNoise.Characters(text, rule.Rate, random),
                    TextChange.WordNoise => TextNoise.SwapWords(text, rule.Rate, random),
                    TextChange.WordDropout => TextNoise.DropWords(text, rule.Rate, random),
                    TextChange.Synonyms => TextNoise.Replace(text, Synonyms, rule.Rate, random),
                    _ => Paraphrased(text, rule.Rate, random),
                };
                if (count > 0) changes[rule.Change] = changes.GetValueOrDefault(rule.Change) + count;
            }
            return text;
        }
    }

    /// <summary>Refuses what cannot be.</summary>
    /// <exception cref="ArgumentException">A rate is out of range, or a rule lacks its synonyms or templates; the message names it.</exception>
    public void Validate()
    {
        foreach (AugmentationRule rule in Rules)
        {
            if (!(rule.Rate > 0 && rule.Rate <= 1)) throw new ArgumentException($"The rate of {rule.Change} is {rule.Rate}; it must be above 0 and at most 1.");
            if (rule.Change == TextChange.Synonyms && Synonyms.Count == 0) throw new ArgumentException("Synonyms are to be used, but there are none.");
            if (rule.Change == TextChange.Paraphrase && Templates.Count == 0) throw new ArgumentException("Questions are to be paraphrased, but there is no template.");
        }
        foreach (string template in Templates)
        {
            if (!template.Contains(Question, StringComparison.Ordinal)) throw new ArgumentException($"The template '{template}' has no {Question}: the question would be lost.");
        }
    }

    private (string, int) Paraphrased(string text, double rate, Random random)
        => random.NextDouble() < rate ? (Templates[random.Next(Templates.Count)].Replace(Question, text, StringComparison.Ordinal), 1) : (text, 0);

    /// <summary>Neighbouring numbers give unrelated seeds (SplitMix64); <see cref="HashCode"/> differs between processes.</summary>
    internal static int SeedOf(int seed, int epoch, int index)
    {
        ulong z = unchecked((ulong)(uint)seed * 0x9E3779B97F4A7C15 + (ulong)(uint)epoch * 0xBF58476D1CE4E5B9 + (ulong)(uint)index * 0x94D049BB133111EB + 0x2545F4914F6CDD1D);
        z = unchecked((z ^ z >> 30) * 0xBF58476D1CE4E5B9);
        z = unchecked((z ^ z >> 27) * 0x94D049BB133111EB);
        return (int)(uint)(z ^ z >> 31);
    }
}
