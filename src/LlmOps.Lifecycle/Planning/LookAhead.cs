using System.Globalization;
using LlmOps.Engines.Planning;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Pipelines.Stages;
using LlmOps.Lifecycle.Registry;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Planning;

/// <summary>What a stage will be given, as far as it can be known before the stages before it have run.</summary>
internal sealed class LookAhead(LlmOpsDb db, PipelineDocument document, ReadVersion versions, PlanFit shapes)
{
    /// <summary>The model's sizes: of a registered version, or of what an earlier stage of the document would make.</summary>
    public async Task<ModelShape?> ShapeAsync(StageDefinition stage, List<string> notes, CancellationToken ct)
    {
        if (stage.Kind.Name == "pretrain")
            return NewShape(stage, notes);
        if (await ValueAsync(stage, "version", ct) is { } key)
            return await shapes.ShapeAsync(await versions.GetAsync(VersionKey.Parse(key), ct), ct);
        if (Maker(stage, "version") is { } maker && maker != stage)
            return await ShapeAsync(maker, notes, ct);
        notes.Add($"The model is not known before {Text(stage, "version")} was made: memory and length are estimated once the pipeline has run to there.");
        return null;
    }

    /// <summary>The version that it trains on: the first of its references that names a dataset.</summary>
    public async Task<DatasetVersion?> DataAsync(StageDefinition stage, List<string> notes, CancellationToken ct)
    {
        var references = StageFields.Of(stage.Kind).Where(f => f.Reference && f.Name is not ("version" or "tokenizer")).ToList();
        foreach (var field in references)
        {
            if ((await ValueAsync(stage, field.Name, ct))?.Split('/') is not [var name, var digits] || !int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
                continue;
            if (await db.DatasetVersions.AsNoTracking().Include(v => v.Dataset).SingleOrDefaultAsync(v => v.Dataset!.Name == name && v.Number == number, ct) is { } version)
                return version;
        }
        notes.Add($"The data is not known before {string.Join(" or ", references.Select(r => Text(stage, r.Name)).Where(t => t.Length > 0))} was made: epochs, steps and tokens are counted once it is there.");
        return null;
    }

    /// <summary>Digest of an artifact with the tokenizer.</summary>
    public async Task<string?> TokenizerAsync(StageDefinition stage, List<string> notes, CancellationToken ct)
    {
        if (StageFields.Of(stage.Kind).Any(f => f.Name == "tokenizer"))
        {
            if (await ValueAsync(stage, "tokenizer", ct) is { } digest)
                return digest;
        }
        else if (await ValueAsync(stage, "version", ct) is { } key)
        {
            return (await versions.GetAsync(VersionKey.Parse(key), ct)).Digest;
        }
        else if (Maker(stage, "version") is { } maker && maker != stage)
        {
            return await TokenizerAsync(maker, notes, ct);
        }
        notes.Add("The tokenizer is not known yet: tokens are counted once it is there.");
        return null;
    }

    private ModelShape? NewShape(StageDefinition stage, List<string> notes)
    {
        int Number(string name) => WholeNumber(stage, name);
        if (Maker(stage, "tokenizer") is not { } tokenizer || tokenizer.Kind.Name != "train-tokenizer")
        {
            notes.Add("The size of the vocabulary is not known: the tokenizer is made by no stage of this pipeline.");
            return null;
        }
        return new()
        {
            Name = stage.Name, Layers = Number("layers"), HiddenSize = Number("hidden_size"), Heads = Number("heads"), KeyValueHeads = Number("kv_heads"), HeadDim = Number("hidden_size") / Number("heads"),
            IntermediateSize = Number("intermediate_size"), VocabSize = WholeNumber(tokenizer, "vocabulary_size"), MaxContext = 2 * Number("context_length"), TiedEmbeddings = true,
        };
    }

    /// <summary>What the parameter says, or what the stage that it refers to made in the newest run of this pipeline; null when that is not known.</summary>
    private async Task<string?> ValueAsync(StageDefinition stage, string parameter, CancellationToken ct)
    {
        var text = Text(stage, parameter);
        if (text.Length == 0)
            return null;
        if (StageGraph.References(new() { [parameter] = text }).FirstOrDefault() is not { } reference)
            return text;
        var outputs = await db.StageRuns.AsNoTracking()
            .Where(s => s.PipelineRun!.Name == document.Name && s.Name == reference.Stage && s.State == StageState.Succeeded && s.OutputsJson != null)
            .OrderByDescending(s => s.PipelineRun!.Number).Select(s => s.OutputsJson!).FirstOrDefaultAsync(ct);
        return outputs is not null && Json.Read<Dictionary<string, string>>(outputs).TryGetValue(reference.Output, out var value) ? value : null;
    }

    private StageDefinition? Maker(StageDefinition stage, string parameter) =>
        StageGraph.References(new() { [parameter] = Text(stage, parameter) }).Select(r => document.Stages.FirstOrDefault(s => s.Name == r.Stage)).FirstOrDefault();

    private static int WholeNumber(StageDefinition stage, string name) =>
        int.Parse((stage.Parameters[name]?.ToString() ?? Convert.ToString(StageFields.Of(stage.Kind).First(f => f.Name == name).Default, CultureInfo.InvariantCulture))!, CultureInfo.InvariantCulture);

    private static string Text(StageDefinition stage, string parameter) => stage.Parameters[parameter]?.ToString() ?? "";
}
