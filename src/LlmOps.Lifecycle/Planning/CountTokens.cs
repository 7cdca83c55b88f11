using System.Collections.Concurrent;
using System.Text.Json;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Datasets;

namespace LlmOps.Lifecycle.Planning;

/// <summary>Lengths of a dataset's examples in the tokens of one tokenizer, measured on a sample.</summary>
/// <param name="Rows">Rows that were encoded.</param>
/// <param name="Mean">Mean tokens of an example, all its sequences together.</param>
/// <param name="Longest">Longest sequence of the sample.</param>
/// <param name="ScoredShare">Share of the tokens that are learnt and not only read.</param>
/// <param name="Sequences">Sequences of an example.</param>
public sealed record TokenCounts(int Rows, double Mean, int Longest, double ScoredShare, int Sequences);

/// <summary>Encodes evenly spread rows of a frozen dataset version as the trainer does. What was counted once is kept: neither rows nor tokenizers ever change.</summary>
public sealed class CountTokens(ArtifactStore artifacts)
{
    private const int Sample = 256;
    private const long LargestTokenizerFile = 64 << 20;
    private readonly ConcurrentDictionary<(string Rows, string Tokenizer), TokenCounts> known = new();

    /// <param name="version">Loaded with its dataset.</param>
    /// <param name="tokenizerDigest">Artifact that holds a tokenizer, alone or with a checkpoint.</param>
    /// <param name="ct">Stops.</param>
    public async Task<TokenCounts> OfAsync(DatasetVersion version, string tokenizerDigest, CancellationToken ct = default)
    {
        if (known.TryGetValue((version.ArtifactDigest, tokenizerDigest), out var counted))
            return counted;
        var tokenizer = await TokenizerAsync(tokenizerDigest, ct);
        var (tokens, scored, longest, rows, sequences) = (0L, 0L, 0, 0, 1);
        await foreach (var line in RowsAsync(version, ct))
        {
            using var row = JsonDocument.Parse(line);
            var encoded = Sequences(row.RootElement, tokenizer);
            rows++;
            sequences = Math.Max(sequences, encoded.Count);
            tokens += encoded.Sum(s => s.Tokens);
            scored += encoded.Sum(s => s.Scored);
            longest = Math.Max(longest, encoded.Max(s => s.Tokens));
        }
        if (rows == 0)
            throw LlmOpsException.Invalid($"{version.KeyText()} has no rows to train on.");
        return known[(version.ArtifactDigest, tokenizerDigest)] = new(rows, (double)tokens / rows, longest, Math.Max((double)scored / tokens, 1e-6), sequences);
    }

    /// <summary>By the columns that the row has: a text, a conversation, a pair of answers to compare, or a prompt with its completion.</summary>
    private static List<(int Tokens, int Scored)> Sequences(JsonElement row, Tokenizer tokenizer)
    {
        string? Text(string name) => row.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        if (Text("text") is { } text)
            return [Whole(PromptTemplate.Document(tokenizer, text).Length)];
        if (row.TryGetProperty("messages", out var messages) && messages.ValueKind == JsonValueKind.Array)
            return [Whole(PromptTemplate.Chat(tokenizer, [.. messages.EnumerateArray().Select(m => new ChatTurn(m.GetProperty("role").GetString()!, m.GetProperty("content").GetString()!))]).Length)];
        if (Text("chosen") is { } chosen && Text("rejected") is { } rejected)
            return [Pair(Text("prompt") ?? "", chosen), Pair(Text("prompt") ?? "", rejected)];
        return [Pair(Text("prompt") ?? "", Text("completion") ?? throw LlmOpsException.Invalid("The rows of this dataset have no column whose tokens could be counted."))];

        (int, int) Pair(string given, string learnt)
        {
            var answer = PromptTemplate.Completion(tokenizer, learnt).Length;
            return (PromptTemplate.Prompt(tokenizer, given).Length + answer, answer);
        }

        static (int, int) Whole(int tokens) => (tokens, Math.Max(1, tokens - 1));
    }

    private async IAsyncEnumerable<string> RowsAsync(DatasetVersion version, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken ct)
    {
        var file = (await artifacts.ManifestAsync(version.ArtifactDigest, ct)).Files.FirstOrDefault(f => f.Path == ImportDataset.TrainFile)
            ?? throw LlmOpsException.Invalid($"{version.KeyText()} has no {ImportDataset.TrainFile}.");
        var stride = Math.Max(1, version.TrainRows / Sample);
        using var reader = new StreamReader(artifacts.OpenFile(file));
        for (var i = 0; await reader.ReadLineAsync(ct) is { } line; i++)
            if (i % stride == 0 && line.Length > 0)
                yield return line;
    }

    /// <summary>Only the small files: a checkpoint's weights are not copied for it.</summary>
    private async Task<Tokenizer> TokenizerAsync(string digest, CancellationToken ct)
    {
        var folder = Directory.CreateTempSubdirectory("llmops-tokenizer-");
        try
        {
            foreach (var file in (await artifacts.ManifestAsync(digest, ct)).Files.Where(f => !f.Path.Contains('/', StringComparison.Ordinal) && f.SizeBytes <= LargestTokenizerFile && !f.Path.EndsWith(".safetensors", StringComparison.Ordinal)))
            {
                await using var source = artifacts.OpenFile(file);
                await using var target = File.Create(Path.Combine(folder.FullName, file.Path));
                await source.CopyToAsync(target, ct);
            }
            return Tokenizer.Load(folder.FullName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
