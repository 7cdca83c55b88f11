using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Evaluation;

namespace LlmOps.Worker.Evaluation;

public sealed record KeyedRow<T>(string Key, T Row);

/// <summary>
/// The held-out rows of each task. A row's key is a hash of its content, so that runs over different dataset versions still pair on the
/// rows they share; the rows of a limited task are those with the smallest keys, the same ones every time.
/// </summary>
public sealed record HeldOutRows(IReadOnlyList<KeyedRow<CorpusText>> Corpus, IReadOnlyList<KeyedRow<PromptCompletion>> Definitions,
    IReadOnlyList<KeyedRow<PromptCompletion>> Questions, IReadOnlyList<KeyedRow<PreferenceExample>> Preferences)
{
    /// <summary>Completions of at most this many words are answers to be matched exactly; longer ones are texts to be predicted.</summary>
    public const int ShortAnswerWords = 3;

    public bool IsEmpty => Count == 0;
    public int Count => Corpus.Count + Definitions.Count + Questions.Count + Preferences.Count;

    public static HeldOutRows Of(IEnumerable<CorpusText> corpus, IReadOnlyCollection<PromptCompletion> instructions, IEnumerable<PreferenceExample> preferences, int max) => new(
        Pick(corpus, r => RowKeys.OfText(r.Text), max),
        Pick(instructions.Where(r => !IsShort(r)), r => RowKeys.OfInstruction(r.Prompt, r.Completion), max),
        Pick(instructions.Where(IsShort), r => RowKeys.OfInstruction(r.Prompt, r.Completion), max),
        Pick(preferences, r => RowKeys.OfPreference(r.Prompt, r.Chosen, r.Rejected), max));

    private static bool IsShort(PromptCompletion row) => row.Completion.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length <= ShortAnswerWords;

    private static List<KeyedRow<T>> Pick<T>(IEnumerable<T> rows, Func<T, string> key, int max) =>
        [.. rows.Select(r => new KeyedRow<T>(key(r), r))
            .DistinctBy(r => r.Key).OrderBy(r => r.Key, StringComparer.Ordinal).Take(max)];
}
