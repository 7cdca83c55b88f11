using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using LlmOps.Engines.Benchmarking;
using LlmOps.Engines.Checkpoints;
using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.Quantization.Search;

/// <summary>Makes and measures candidates, or finds what an earlier search measured under the same hash.</summary>
internal sealed class CandidateCache(VariantSearch search, string sourceFolder, string workFolder, IReadOnlyList<TokenRow> rows, ICausalModel source, CancellationToken ct)
{
    private const string ResultFile = "result.json", VariantFolder = "variant";
    private readonly string common = Common(search, sourceFolder, rows);

    private sealed record Result(QuantizationReport? Quantization, ComparisonReport Comparison, ProbeReport? Speed);

    /// <summary>The source itself, compared with itself: the point that every variant is better than in size or speed only.</summary>
    public CandidateReport Source() => Get("source", null, 0);

    public CandidateReport Get(string name, QuantizationPass? pass, long predicted)
    {
        var folder = Path.Combine(workFolder, Key(pass));
        var variant = pass is null ? sourceFolder : Path.Combine(folder, VariantFolder);
        var report = new CandidateReport(name, pass, variant, predicted, null, false, false, "");
        if (Find(folder) is { } known && Directory.Exists(variant))
            return Filled(report with { Reused = true }, known);
        try
        {
            var quantization = pass?.Run(sourceFolder, variant, null, ct);
            using var model = pass is null ? null : OnnxCausalModel.Load(variant);
            var comparison = search.Comparison.Run(source, model ?? source, rows, null, ct) with { BaseBytes = OnnxModel.SizeBytes(sourceFolder), VariantBytes = OnnxModel.SizeBytes(variant) };
            model?.Dispose(); // its memory is not to be part of the measurement
            var speed = search.Speed is null ? null : Probe.Run(search.Speed with { Folder = variant }, ct);
            var result = new Result(quantization, comparison, speed);
            Directory.CreateDirectory(folder);
            AtomicFile.WriteText(Path.Combine(folder, ResultFile), JsonSerializer.Serialize(result));
            return Filled(report, result);
        }
        // A pass that cannot do this model is a finding; a source that cannot be read has failed before.
        catch (Exception e) when (pass is not null && e is UnsupportedModelException or InvalidModelException)
        {
            return report with { Folder = null, Note = $"failed: {e.Message}" };
        }
    }

    private CandidateReport Filled(CandidateReport report, Result result) => report with
    {
        Quantization = result.Quantization, Comparison = result.Comparison, Speed = result.Speed,
        Verdict = report.Pass is null ? null : search.Goal.Judge(result.Comparison),
    };

    private static Result? Find(string folder)
    {
        var path = Path.Combine(folder, ResultFile);
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize<Result>(File.ReadAllText(path)) : null;
        }
        catch (JsonException)
        {
            return null; // of another version: measured again
        }
    }

    private string Key(QuantizationPass? pass) => Hash($"{common}\n{(pass is null ? "source" : JsonSerializer.Serialize(pass))}\n{pass?.CalibrationHash}")[..24];

    // Everything that the measures depend on besides the pass. The goal is not among it: judging again costs nothing.
    private static string Common(VariantSearch search, string sourceFolder, IReadOnlyList<TokenRow> rows)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var name in Directory.EnumerateFiles(sourceFolder).Order(StringComparer.Ordinal))
        {
            using var file = File.OpenRead(name);
            hash.AppendData(Encoding.UTF8.GetBytes(Path.GetFileName(name)));
            hash.AppendData(SHA256.HashData(file));
        }
        foreach (var row in rows)
            hash.AppendData(Encoding.UTF8.GetBytes($"{row.Bytes}:{string.Join(',', row.Tokens)};"));
        return $"{Convert.ToHexStringLower(hash.GetHashAndReset())}\n{JsonSerializer.Serialize(search.Comparison)}\n{JsonSerializer.Serialize(search.Speed)}";
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
