using LlmOps.Engines.Evaluation.Generation;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.TestKit;

namespace LlmOps.Web.Tests.Suites;

/// <summary>Kinds whose answers a real model writes, on both databases.</summary>
public abstract class GeneratedKindTests(DatabaseProvider provider) : IAsyncLifetime
{
    // The model is untrained and writes anything: the here-document takes what it wrote, and the tests decide by themselves.
    private const string Programs = """
        name: programs
        tasks:
          - name: shell
            kind: code
            interpreter: sh
            chat: false
            prompt: ": <<'END-OF-ANSWER'\n"
            tests: "\nEND-OF-ANSWER\n{{ test }}"
            samples: 3
            temperature: 1
            max_tokens: 6
            timeout_seconds: 1.5
            metrics: [pass@1, pass@3]
            rows:
              - { test: "exit 0" }
              - { test: "echo wrong >&2; exit 3" }
              - { test: "sleep 30" }
              - { test: "test -z \"$SECRET_OF_THE_SERVER\" && echo x > here && test -s here" }
        """;
    private SuiteBench bench = null!;

    public async ValueTask InitializeAsync() => bench = await SuiteBench.CreateAsync(provider);

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await bench.DisposeAsync();
    }

    [Fact]
    public async Task Code_RunsEachSampleByItself_AndCountsWhatPasses()
    {
        Environment.SetEnvironmentVariable("SECRET_OF_THE_SERVER", "1");
        var run = (await bench.RunAsync(Programs, settings: ("Worker:Programs", ProgramRunner.CanDenyNetwork && ProgramRunner.CanHideProcesses ? "isolated" : "allowed"))).Single();
        Assert.Equal([("shell.pass@1", 0.5, 4), ("shell.pass@3", 0.5, 4)], run.Metrics.OrderBy(m => m.Name).Select(m => (m.Name, m.Value, m.N)));
        var rows = await bench.RowsAsync(run.Id, "shell.pass@1");
        var details = rows.ToDictionary(r => r.Expected!.Split('\n')[2], r => SuiteBench.Detail(r.DetailJson));
        Assert.All(details.Values, d => Assert.Equal((3, 3, true), (d.GetProperty("samples").GetInt32(), d.GetProperty("outcomes").GetArrayLength(), d.GetProperty("memory_limited").GetBoolean())));
        Assert.All(details.Values, d => Assert.Equal(ProgramRunner.CanDenyNetwork, d.GetProperty("network_denied").GetBoolean()));
        Assert.Equal(("wrong", 3), (details["echo wrong >&2; exit 3"].GetProperty("outcomes")[0].GetProperty("error").GetString(), details["echo wrong >&2; exit 3"].GetProperty("outcomes")[0].GetProperty("exit_code").GetInt32()));
        Assert.All(details["sleep 30"].GetProperty("outcomes").EnumerateArray(), o => Assert.True(o.GetProperty("timed_out").GetBoolean()));
        Assert.All(rows, r => Assert.NotNull(r.Answer));
    }

    [Fact]
    public async Task Code_IsRefused_WhereTheConfigurationDoesNotAllowIt()
    {
        var refused = await Assert.ThrowsAsync<LlmOpsException>(() => bench.RunAsync(Programs));
        Assert.Contains("Worker__Programs=isolated", refused.Message, StringComparison.Ordinal);
        Assert.Empty(await bench.Product.ReadAsync(db => Task.FromResult(db.EvaluationRuns.ToList())));
        // A wrong word stops the start; a number is no word.
        foreach (var wrong in new[] { "yes", "1" })
            Assert.Contains("set Worker__Programs to off, isolated or allowed", (await Assert.ThrowsAsync<InvalidOperationException>(() => bench.RunAsync(Programs.Replace("name: programs", $"name: programs-{wrong}", StringComparison.Ordinal), settings: ("Worker:Programs", wrong)))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generation_MeasuresNumbersSummariesAndJson()
    {
        const string suite = """
            name: texts
            tasks:
              - name: text
                kind: generation
                prompt: "{{ q }}"
                target: "{{ a }}"
                max_tokens: 8
                metrics: [number, rougeLsum, contains_json]
                rows:
                  - { q: "dog", a: "12" }
                  - { q: "fox", a: "no number" }
            """;
        var run = (await bench.RunAsync(suite)).Single();
        // A reference without a number is a mistake of the row, not a wrong answer: the whole row is missing.
        var rows = await bench.RowsAsync(run.Id, "text.number");
        Assert.Equal((1, 1), (rows.Count(r => r.State == RowState.Scored), rows.Count(r => r.State == RowState.Missing && r.Error!.Contains("has no number", StringComparison.Ordinal))));
        var answer = rows.Single(r => r.State == RowState.Scored).Answer!;
        Assert.Equal([("text.contains_json", TextChecks.ContainsJson(answer)), ("text.number", NumberAnswer.Match(answer, "12")), ("text.rougeLsum", Rouge.Lsum(answer, ["12"]).F)],
            run.Metrics.OrderBy(m => m.Name, StringComparer.Ordinal).Select(m => (m.Name, m.Value)));
    }
}

public sealed class GeneratedKindsOnSqlite() : GeneratedKindTests(DatabaseProvider.Sqlite);

public sealed class GeneratedKindsOnPostgres() : GeneratedKindTests(DatabaseProvider.Postgres);
