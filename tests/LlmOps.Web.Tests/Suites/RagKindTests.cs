using LlmOps.Engines.Retrieval;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Knowledge;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Web.Tests.Suites;

/// <summary>A real index, searched by the real engine; answers quoted from it, or written by a real model.</summary>
public abstract class RagKindTests(DatabaseProvider provider) : IAsyncLifetime
{
    private const string Manual = """
        # Leases

        A worker renews its lease with a heartbeat every ten seconds.

        # Rollback

        Rollback moves the alias back to the version before in one step.

        # Pruning

        Pruning deletes artifacts that no version names.
        """;

    private const string Suite = """
        name: manual
        tasks:
          - name: find
            kind: rag
            knowledge: manual/1
            question: "{{ q }}"
            relevant: "{{ found_in }}"
            target: "{{ a }}"
            top_k: 2
            metrics: [mrr, hit@1, recall@2, ndcg@2, answer_f1, answered, groundedness, citation_precision, citation_recall]
            rows:
              - { q: "How does a worker renew its lease?", found_in: ["manual.md#1"], a: "A worker renews its lease with a heartbeat every ten seconds." }
              - { q: "What does rollback move?", found_in: ["manual.md#1"], a: "the alias" }
              - { q: "Xylophones?", found_in: [], a: "nothing" }
              - { q: "Who prunes?", found_in: ["nowhere.md"], a: "nobody" }
        """;
    private SuiteBench bench = null!;

    public async ValueTask InitializeAsync()
    {
        bench = await SuiteBench.CreateAsync(provider, context: 512);
        var index = Path.Combine(bench.Product.Folder, "index");
        HybridIndex.Build(MarkdownChunker.Split("manual.md", Manual), bench.Checkpoint, index);
        await using var db = bench.Product.Open();
        var version = await db.ModelVersions.SingleAsync();
        await db.AddIndexAsync(new BuiltIndex("manual", await bench.Product.Artifacts.PutFolderAsync(index), 1, 3, 16, version.Id, "{}", null), bench.Product.Alice, bench.Product.Clock.GetUtcNow(), default);
        await db.SaveChangesAsync();
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await bench.DisposeAsync();
    }

    [Fact]
    public async Task QuotedAnswers_AreMeasuredRowByRow_AndWhatDoesNotApplyIsNoFailure()
    {
        var run = (await bench.RunAsync(Suite)).Single();
        async Task<Dictionary<string, RowScore>> Rows(string metric) => (await bench.RowsAsync(run.Id, $"find.{metric}")).ToDictionary(r => r.RowKey);
        var mrr = await Rows("mrr");
        var lease = mrr.Values.Single(r => r.Prompt == "How does a worker renew its lease?");
        Assert.Equal((1.0, RowState.Scored, "A worker renews its lease with a heartbeat every ten seconds. [1]"), (lease.Value, lease.State, lease.Answer));
        Assert.Equal(("manual.md#1", true, 1), (SuiteBench.Detail(lease.DetailJson).GetProperty("retrieved")[0].GetProperty("id").GetString(), SuiteBench.Detail(lease.DetailJson).GetProperty("retrieved")[0].GetProperty("relevant").GetBoolean(), SuiteBench.Detail(lease.DetailJson).GetProperty("first_relevant_rank").GetInt32()));

        // The wrong passage is said to be relevant here: what is found first is the passage about rollback, and so is what is cited.
        var rollback = mrr.Values.Single(r => r.Prompt == "What does rollback move?");
        Assert.NotEqual(1.0, rollback.Value);
        Assert.Equal((0.0, 0.0), ((await Rows("hit@1"))[rollback.RowKey].Value, (await Rows("citation_precision"))[rollback.RowKey].Value));
        Assert.Equal((1.0, 1.0), ((await Rows("citation_recall"))[lease.RowKey].Value, (await Rows("groundedness"))[rollback.RowKey].Value));
        Assert.Equal(1.0, (await Rows("answer_f1"))[lease.RowKey].Value, 12);

        // Nothing is relevant: no rank, and that is no failure. A passage that is not there: a failure of the row.
        var none = mrr.Values.Single(r => r.Prompt == "Xylophones?");
        Assert.Equal((RowState.NotApplicable, "No passage is relevant to this question."), (none.State, none.Error));
        Assert.Equal((RowState.Scored, 0.0, ""), ((await Rows("answered"))[none.RowKey].State, (await Rows("answered"))[none.RowKey].Value, none.Answer));
        var wrong = mrr.Values.Single(r => r.State == RowState.Missing);
        Assert.Equal("'nowhere.md' is neither a document nor a passage of manual/1.", wrong.Error);
        Assert.Equal((2, 3), (run.Metrics.Single(m => m.Name == "find.mrr").N, run.Metrics.Single(m => m.Name == "find.answered").N));
        var tasks = await bench.Product.Get<ReadRowScores>().TasksAsync(run.Id);
        Assert.Equal((4, 1, 1), tasks.Where(t => t.Task.Metric == "mrr").Select(t => (t.Rows, t.Missing, t.NotApplicable)).Single());
        Assert.Equal("manual/1", SuiteBench.Detail(run.DetailJson).GetProperty("indexes").GetProperty("find").GetString());

        // Rows that do not apply take no part in a comparison, and are not counted as missing from it.
        var again = (await bench.RunAsync(Suite, ["copy"])).Single();
        var compared = (await bench.Product.Get<CompareRuns>().CompareAsync(run.Id, again.Id)).Metrics.Single(m => m.Task.Metric == "mrr");
        Assert.Equal((2, 0.0, 1), (compared.Difference.N, compared.Difference.Value, compared.Missing.Total));
    }

    [Fact]
    public async Task AModelAnswers_FromThePassagesInItsPrompt_AndDocumentsCanBeRelevant()
    {
        const string suite = """
            name: written
            tasks:
              - name: write
                kind: rag
                knowledge: manual/1
                answers: model
                question: "{{ q }}"
                relevant: manual.md
                prompt: "{{ context }}\nQ: {{ question }}"
                top_k: 2
                max_tokens: 6
                metrics: [mrr, recall@2, groundedness]
                rows: [{ q: "What does rollback move?" }]
            """;
        var run = (await bench.RunAsync(suite)).Single();
        var row = (await bench.RowsAsync(run.Id, "write.mrr")).Single();
        Assert.StartsWith("[1] Rollback: Rollback moves the alias back to the version before in one step.\n[2] ", row.Prompt, StringComparison.Ordinal);
        Assert.EndsWith("Q: What does rollback move?", row.Prompt, StringComparison.Ordinal);
        Assert.Equal((1.0, "manual.md"), (row.Value, row.Expected));
        Assert.NotNull(row.Answer);
    }

    [Fact]
    public async Task AnotherIndex_IsAnotherSuite_AndOneThatIsNotThereIsRefused()
    {
        var document = SuiteDocument.Parse(Suite);
        var pins = await bench.Product.ReadAsync(db => SaveSuite.PinsAsync(db, document, default));
        Assert.Equal(["index manual/1"], pins.Keys);
        Assert.NotEqual(document.Digest(pins), document.Digest(new Dictionary<string, string> { ["index manual/1"] = "other passages" }));
        await Assert.ThrowsAsync<LlmOpsException>(() => bench.Product.Get<SaveSuite>().SaveAsync(Suite.Replace("manual/1", "manual/2", StringComparison.Ordinal), bench.Product.Alice));
    }
}

public sealed class RagKindOnSqlite() : RagKindTests(DatabaseProvider.Sqlite);

public sealed class RagKindOnPostgres() : RagKindTests(DatabaseProvider.Postgres);
