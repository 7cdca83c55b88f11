using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Sweeps.Search;
using YamlDotNet.Serialization;

namespace LlmOps.Lifecycle.Sweeps;

/// <summary>The pipeline that one trial runs: the sweep's pipeline up to what is measured, with the trial's parameters. Pure.</summary>
public static class TrialDocument
{
    public const string Prefix = "sweep-";

    public static string PipelineName(string sweep) => Prefix + sweep;

    /// <summary>Names of the stage and of everything that it needs, directly or not.</summary>
    public static HashSet<string> NeedsAll(PipelineDocument pipeline, string stage)
    {
        var all = new HashSet<string>();
        Add(stage);
        return all;

        void Add(string name)
        {
            if (all.Add(name) && pipeline.Stages.FirstOrDefault(s => s.Name == name) is { } found)
                foreach (var need in found.Needs)
                    Add(need);
        }
    }

    /// <summary>Stages that are the same in every trial, because they come before the searched one or beside it.</summary>
    public static IReadOnlyList<string> Shared(PipelineDocument pipeline, string stage, SweepMetric metric) =>
        [.. NeedsAll(pipeline, metric.MeasuredBy ?? stage).Where(name => !NeedsAll(pipeline, name).Contains(stage))];

    public static JsonObject Parameters(PipelineDocument pipeline, string stage, SearchSpace space, string? budget, PlannedTrial trial)
    {
        var parameters = space.Parameters(pipeline.Stages.Single(s => s.Name == stage).Kind, trial.Point);
        if (budget is not null && trial.Budget is { } value)
            parameters[budget] = value;
        return parameters;
    }

    public static string ToYaml(PipelineDocument pipeline, string name, string description, string stage, SweepMetric metric, JsonObject parameters)
    {
        var kept = NeedsAll(pipeline, metric.MeasuredBy ?? stage);
        var stages = pipeline.Stages.Where(s => kept.Contains(s.Name)).Select(s =>
        {
            var with = (JsonObject)s.Parameters.DeepClone();
            if (s.Name == stage)
                foreach (var (key, value) in parameters)
                    with[key] = value?.DeepClone();
            return new Dictionary<string, object> { ["name"] = s.Name, ["kind"] = s.Kind.Name, ["needs"] = s.Needs.ToArray(), ["with"] = with.ToDictionary(p => p.Key, p => Plain(p.Value)) };
        }).ToList();
        return new SerializerBuilder().WithQuotingNecessaryStrings().Build().Serialize(new Dictionary<string, object> { ["name"] = name, ["description"] = description, ["stages"] = stages });
    }

    private static object Plain(JsonNode? value) => value switch
    {
        JsonArray list => list.Select(i => i?.ToString() ?? "").ToArray(),
        JsonValue one when one.TryGetValue<bool>(out var flag) => flag,
        JsonValue one when one.TryGetValue<long>(out var whole) => whole,
        JsonValue one when one.TryGetValue<double>(out var number) => number,
        _ => value?.ToString() ?? "",
    };
}
