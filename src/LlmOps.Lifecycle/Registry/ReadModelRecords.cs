using System.Text;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Promotion.Attestations;

namespace LlmOps.Lifecycle.Registry;

/// <summary>A version's records for other tools: the card with the Hub's front matter, and the bill of materials.</summary>
public sealed class ReadModelRecords(ReadVersion versions, ReadModels models, ReadLineage lineages, ReadAttestations attestations)
{
    public async Task<string> CardAsync(VersionKey key, CancellationToken ct = default)
    {
        var (version, description, measured, lineage) = await ReadAsync(key, ct);
        return CardFrontMatter.Write(version, measured, lineage) + ModelCard.Write(version, description, measured, lineage) + ModelCard.Promotions(await attestations.OfVersionAsync(key, ct));
    }

    /// <summary>CycloneDX 1.6, JSON.</summary>
    public async Task<string> BillOfMaterialsAsync(VersionKey key, CancellationToken ct = default)
    {
        var (version, description, measured, lineage) = await ReadAsync(key, ct);
        return ModelBom.Write(version, description, measured, lineage, await attestations.OfVersionAsync(key, ct)).ToJsonString(new() { WriteIndented = true });
    }

    private async Task<(VersionDetail, string, Measurements, Lineage)> ReadAsync(VersionKey key, CancellationToken ct)
    {
        var version = await versions.GetAsync(key, ct);
        return (version, (await models.GetAsync(key.Name, ct)).Description, await versions.MeasurementsAsync(version, differences: false, ct), await lineages.OfAsync(version, ct));
    }
}

/// <summary>The YAML head that the Hugging Face Hub reads: licence, base model, datasets and the results as a model-index. Pure.</summary>
public static class CardFrontMatter
{
    public static string Write(VersionDetail version, Measurements measured, Lineage lineage)
    {
        var text = new StringBuilder("---\n");
        if (version.Licence.Length > 0)
            text.Append("license: " + Quoted(version.Licence.ToLowerInvariant()) + "\n");
        text.Append("pipeline_tag: text-generation\n");
        if (lineage.Parents is [var parent, ..])
            text.Append("base_model: " + Quoted($"{parent.Model}/{parent.Number}") + "\n");
        if (lineage.Datasets.Count > 0)
            text.Append("datasets:\n").AppendJoin("", lineage.Datasets.Select(d => $"  - {Quoted(d.Key)}\n"));
        var forms = measured.Variants.Where(v => v.Metrics.Count > 0).ToList();
        if (forms.Count > 0)
            text.Append("model-index:\n");
        foreach (var form in forms)
        {
            text.Append("  - name: " + Quoted($"{version.Key} {form.Variant}") + "\n    results:\n");
            foreach (var metric in form.Metrics.Values.OrderBy(m => m.Name, StringComparer.Ordinal))
                text.Append("      - task:\n          type: text-generation\n        dataset:\n")
                    .Append("          name: " + Quoted(form.Suite ?? "unknown") + "\n          type: " + Quoted(form.Suite ?? "unknown") + "\n        metrics:\n")
                    .Append("          - name: " + Quoted($"{metric.Name}, {metric.Unit} (n = {metric.N})") + "\n            type: " + Quoted(metric.Name) + "\n")
                    .Append(FormattableString.Invariant($"            value: {metric.Value:R}\n"));
        }
        return text.Append("---\n\n").ToString();
    }

    // A double-quoted YAML scalar has JSON's escapes, so that no licence or name can end it.
    private static string Quoted(string text) => System.Text.Json.JsonSerializer.Serialize(text);
}

/// <summary>The bill of materials of a version as CycloneDX 1.6: the model with its card, what it comes from, its files' digests and its data. Pure.</summary>
public static class ModelBom
{
    public static JsonObject Write(VersionDetail version, string description, Measurements measured, Lineage lineage, IReadOnlyList<AttestationRow> statements)
    {
        var root = $"model:{version.Key}";
        var components = new JsonArray();
        foreach (var variant in version.Variants)
            components.Add(Model($"{root}#{variant.Name}", version.Model, $"{version.Number}-{variant.Name}", variant.Digest, version.Licence));
        foreach (var parent in lineage.Parents)
            components.Add(new JsonObject { ["type"] = "machine-learning-model", ["bom-ref"] = $"model:{parent.Model}/{parent.Number}", ["name"] = parent.Model, ["version"] = $"{parent.Number}" });
        foreach (var data in lineage.Datasets)
        {
            var slash = data.Key.LastIndexOf('/');
            var component = new JsonObject { ["type"] = "data", ["bom-ref"] = $"data:{data.Key}", ["name"] = data.Key[..Math.Max(0, slash)], ["version"] = data.Key[(slash + 1)..] };
            if (data.Digest is { } digest)
                component["hashes"] = Hashes(digest);
            components.Add(component);
        }
        var subject = Model(root, version.Model, $"{version.Number}", version.Digest, version.Licence);
        subject["modelCard"] = Card(measured, lineage);
        if (description.Length > 0)
            subject["description"] = description;
        if (statements.Count > 0)
            subject["externalReferences"] = new JsonArray([.. statements.Select(s => (JsonNode)new JsonObject
            {
                ["type"] = "attestation", ["url"] = $"/api/v1/approvals/{s.ApprovalId}/attestation", ["comment"] = $"{s.Variant} to {s.Alias}, in-toto statement sha256:{s.StatementDigest}",
            })]);
        return new JsonObject
        {
            ["bomFormat"] = "CycloneDX", ["specVersion"] = "1.6", ["version"] = 1,
            ["metadata"] = new JsonObject { ["timestamp"] = version.CreatedAt.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", System.Globalization.CultureInfo.InvariantCulture), ["component"] = subject },
            ["components"] = components, ["dependencies"] = Dependencies(root, version, lineage),
        };
    }

    private static JsonObject Model(string reference, string name, string number, string digest, string licence)
    {
        var model = new JsonObject { ["type"] = "machine-learning-model", ["bom-ref"] = reference, ["name"] = name, ["version"] = number, ["hashes"] = Hashes(digest) };
        if (licence.Length > 0)
            model["licenses"] = new JsonArray(new JsonObject { ["license"] = new JsonObject { ["name"] = licence } });
        return model;
    }

    private static JsonArray Hashes(string digest) => [new JsonObject { ["alg"] = "SHA-256", ["content"] = digest }];

    private static JsonObject Card(Measurements measured, Lineage lineage)
    {
        var metrics = new JsonArray();
        foreach (var form in measured.Variants)
            foreach (var metric in form.Metrics.Values.OrderBy(m => m.Name, StringComparer.Ordinal))
                metrics.Add(new JsonObject
                {
                    ["type"] = metric.Name, ["value"] = Number(metric.Value), ["slice"] = form.Variant,
                    ["confidenceInterval"] = new JsonObject { ["lowerBound"] = Number(metric.Low), ["upperBound"] = Number(metric.High) },
                });
        var data = new JsonArray([.. lineage.Datasets.Select(d => (JsonNode)new JsonObject { ["ref"] = $"data:{d.Key}" })]);
        return new JsonObject
        {
            ["modelParameters"] = new JsonObject { ["task"] = "text-generation", ["datasets"] = data },
            ["quantitativeAnalysis"] = new JsonObject { ["performanceMetrics"] = metrics },
        };
    }

    // The format has these as strings.
    private static string Number(double value) => value.ToString("R", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Each variant is made from the version, the version from its parent and its data, and so on back.</summary>
    private static JsonArray Dependencies(string root, VersionDetail version, Lineage lineage)
    {
        var all = new JsonArray();
        void Add(string reference, IEnumerable<string> on) => all.Add(new JsonObject { ["ref"] = reference, ["dependsOn"] = new JsonArray([.. on.Select(o => (JsonNode)o)]) });
        foreach (var variant in version.Variants)
            Add($"{root}#{variant.Name}", [variant.SourceVariant is { } source && version.Variants.Any(v => v.Name == source) ? $"{root}#{source}" : root]);
        string[] parents = [.. lineage.Parents.Select(p => $"model:{p.Model}/{p.Number}")];
        Add(root, parents.Take(1).Concat(lineage.Datasets.Select(d => $"data:{d.Key}")));
        for (var i = 0; i + 1 < parents.Length; i++)
            Add(parents[i], [parents[i + 1]]);
        return all;
    }
}
