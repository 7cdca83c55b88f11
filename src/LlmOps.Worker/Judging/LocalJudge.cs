using System.Text;
using LlmOps.Engines.Inference;
using LlmOps.Lifecycle.Evaluation.Judges;

namespace LlmOps.Worker.Judging;

/// <summary>A version of this registry as a judge. A grammar lets it write a verdict and nothing else, so even a small model cannot answer beside the question; it gives no reasons.</summary>
public sealed class LocalJudge(string key, JudgeDocument document, TextGenerator generator) : IJudge
{
    private readonly OutputGrammar grammar = OutputGrammar.FromSchema(JudgeReply.Schema(document), whitespace: false);
    private readonly SemaphoreSlim one = new(1);

    public string Key => key;
    public JudgeDocument Document => document;

    public async Task<JudgeAnswer> AskAsync(string prompt, int seed, CancellationToken ct)
    {
        await one.WaitAsync(ct);
        try
        {
            return await Task.Run(() => Ask(prompt, seed, ct), ct);
        }
        catch (ArgumentException e)
        {
            throw new JudgeFailedException($"The judge {key} cannot be asked: {e.Message}");
        }
        finally
        {
            one.Release();
        }
    }

    private JudgeAnswer Ask(string prompt, int seed, CancellationToken ct)
    {
        var tokens = generator.Format.Prompt(prompt);
        var (text, count) = (new StringBuilder(), 0);
        foreach (var token in generator.Generate(tokens, new SamplingOptions(document.MaxTokens, (float)document.Temperature, Seed: seed) { Grammar = grammar }, ct))
        {
            text.Append(token.Text);
            count++;
        }
        return new(text.ToString(), tokens.Length, count);
    }

    public void Dispose()
    {
        generator.Dispose();
        one.Dispose();
    }
}
