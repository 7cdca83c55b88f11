using LlmOps.Engines.Text;

namespace LlmOps.Engines.Inference;

/// <summary>One answer while it is made: chooses its tokens, turns them into text, knows when it ends.</summary>
internal sealed class Continuation
{
    private readonly SamplingOptions options;
    private readonly int index, room;
    private readonly int[] ends;
    private readonly Sampler sampler;
    private readonly TextStream stream;
    private readonly TokenConstraint? constraint;
    private int made;

    public Continuation(SamplingOptions options, Tokenizer tokenizer, TokenConstraint? constraint, int[] prompt, int[] ends, int room, int index)
    {
        (this.options, this.constraint, this.ends, this.room, this.index) = (options, constraint, ends, room, index);
        sampler = new Sampler(options, tokenizer.VocabularySize, index);
        sampler.Remember(prompt);
        stream = new TextStream(tokenizer, options.Stop ?? []);
    }

    public bool IsFinished { get; private set; }
    public int LastToken { get; private set; }

    public GeneratedToken Next(ReadOnlySpan<float> logits)
    {
        made++;
        var (token, logProbability) = sampler.Next(logits, made <= options.MinNewTokens ? ends : [], constraint);
        var ended = ends.Contains(token);
        if (!ended)
            constraint?.Accept(token);
        var (text, stopped) = ended ? ("", false) : stream.Push(token);
        var finish = stopped ? FinishReason.Stop
            : ended ? FinishReason.EndOfText
            : constraint?.IsOver == true ? FinishReason.Complete
            : made < room ? (FinishReason?)null
            : room < options.MaxNewTokens ? FinishReason.Context : FinishReason.Length;
        if (finish is not null && !stopped)
        {
            (var rest, stopped) = stream.Flush();
            (text, finish) = (text + rest, stopped ? FinishReason.Stop : finish);
        }
        (LastToken, IsFinished) = (token, finish is not null);
        return new GeneratedToken(token, text, logProbability)
        {
            Finish = finish,
            Continuation = index,
            Alternatives = options.TopLogProbabilities > 0 ? sampler.Alternatives(logits, token, logProbability) : null,
        };
    }
}
