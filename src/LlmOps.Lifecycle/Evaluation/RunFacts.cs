using System.Text.Json;
using System.Text.Json.Nodes;
using LlmOps.Lifecycle.Evaluation.Suites;

namespace LlmOps.Lifecycle.Evaluation;

/// <summary>What a run's rows say beside their values.</summary>
/// <param name="Machines">Task → machines that its rows were measured on; more than one where a run went on elsewhere.</param>
/// <param name="Findings">Task → what detectors found in its answers, and how often.</param>
/// <param name="Indexes">Task → index of a knowledge base that it searched.</param>
public sealed record RunFacts(IReadOnlyDictionary<string, IReadOnlyList<string>> Machines, IReadOnlyDictionary<string, IReadOnlyDictionary<string, int>> Findings, IReadOnlyDictionary<string, string> Indexes)
{
    public static RunFacts None { get; } = new(new Dictionary<string, IReadOnlyList<string>>(), new Dictionary<string, IReadOnlyDictionary<string, int>>(), new Dictionary<string, string>());

    /// <summary>Of the rows of a suite's run, with their details.</summary>
    public static RunFacts Of(SuiteDocument suite, IReadOnlyList<RowScore> rows)
    {
        var (machines, findings) = (new Dictionary<string, IReadOnlyList<string>>(), new Dictionary<string, IReadOnlyDictionary<string, int>>());
        foreach (var task in suite.Tasks.Where(t => t.Kind is LatencyKind.Name or SafetyKind.Name))
        {
            var first = task.Measures[0].RowName;
            var details = rows.Where(r => r.Task == first && r.DetailJson is not null).Select(r => JsonDocument.Parse(r.DetailJson!).RootElement).ToList();
            if (task.Kind == LatencyKind.Name)
                machines[task.Name] = [.. details.Select(d => d.GetProperty("machine").GetString()!).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
            else
                findings[task.Name] = details.SelectMany(d => d.GetProperty("findings").EnumerateObject()).GroupBy(f => f.Name, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.Sum(f => f.Value.GetInt32()), StringComparer.Ordinal);
        }
        return new(machines, findings, suite.Tasks.Where(t => t.Knowledge is not null).ToDictionary(t => t.Name, t => t.Knowledge!));
    }

    /// <summary>Out of a run's detail, in which other things may stand too.</summary>
    public static RunFacts Parse(string? detailJson)
    {
        if (detailJson is null)
            return None;
        using var document = JsonDocument.Parse(detailJson);
        T Read<T>(string name, T otherwise) => document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty(name, out var found) ? found.Deserialize<T>(Data.Json.Options)! : otherwise;
        return new(Read("machines", None.Machines), Read("findings", None.Findings), Read("indexes", None.Indexes));
    }

    /// <summary>The detail of a run some of whose tasks were measured on this machine.</summary>
    public static string WithMachine(string? detailJson, IEnumerable<string> tasks, string machine)
    {
        var detail = detailJson is null ? [] : JsonNode.Parse(detailJson)!.AsObject();
        detail["machines"] = new JsonObject(tasks.Select(t => KeyValuePair.Create<string, JsonNode?>(t, new JsonArray(machine))));
        return detail.ToJsonString(Data.Json.Options);
    }

    /// <summary>Why a metric of two runs cannot be compared; null when it can.</summary>
    public static string? Incomparable(EvaluationTask task, RunFacts a, RunFacts b)
    {
        if (task.OfMachine != true)
            return null;
        var (onA, onB) = (a.Machines.GetValueOrDefault(task.Name) ?? [], b.Machines.GetValueOrDefault(task.Name) ?? []);
        return (onA, onB) switch
        {
            // The evaluate stage did not always write down where it ran.
            ([], _) or (_, []) when !task.OfSuite => null,
            ([], _) or (_, []) => "it is not known on which machine it was measured",
            ([var one], [var other]) when one == other => null,
            ([var one], [var other]) => $"measured on different machines ({one}; {other}), so a difference would say nothing about the models: measure both on one machine",
            _ => $"a run went on on another machine ({string.Join("; ", onA.Union(onB))}), so its rows are not alike: measure it again on one machine",
        };
    }
}
