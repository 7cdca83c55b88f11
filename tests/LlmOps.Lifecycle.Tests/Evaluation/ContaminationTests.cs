using System.Text.Json;
using LlmOps.Engines.Evaluation.Contamination;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Evaluation.Contamination;
using LlmOps.Lifecycle.Evaluation.Suites;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Tests.Evaluation;

public abstract class ContaminationTests(DatabaseProvider provider) : ProductTests(provider)
{
    private const string Leak = "The quick brown fox jumps over the lazy dog near the river bank on a sunny afternoon in May.";
    private const string Policy = "name: clean\ndemands:\n  contamination: zero\n";
    private static readonly string[] HeldOut = [.. Enumerable.Range(0, 10_000).Select(i => $"word{i}").Where(LlmOps.Engines.Text.Split.IsHeldOut)];
    private static readonly string[] Trained = [.. Enumerable.Range(0, 10_000).Select(i => $"word{i}").Where(w => !LlmOps.Engines.Text.Split.IsHeldOut(w))];

    /// <summary>Texts in the split that is asked for: the headword decides.</summary>
    private static IEnumerable<string> Texts(string[] headwords, params string[] texts) => texts.Select((t, i) => JsonSerializer.Serialize(new { text = t, headword = headwords[i] }));

    private static string[] Unlike(string about, int count) => [.. Enumerable.Range(0, count).Select(i => string.Join(' ', Enumerable.Range(0, 12).Select(w => $"{about}{i}x{w}")))];

    /// <summary>A training set without any of the evaluation's rows, and one that the version really says it was trained on.</summary>
    private async Task<ModelVersion> TrainAsync(string dataset, string trainedOn, ModelVersion? parent = null, params string[] texts)
    {
        if (texts.Length > 0)
            await Product.DatasetAsync(dataset, DatasetKind.Corpus, string.Join('\n', Texts(Trained, texts).Concat(Texts(HeldOut, "held out and never learned"))));
        await using var db = Product.Open();
        var version = await db.AddVersionAsync(new NewVersion("tiny-lm", "fine-tune", await Product.StoreAsync($"checkpoint {Guid.NewGuid()}"), 1000, "", trainedOn, "MIT", "{}", parent?.Id, null, null), Product.Alice, Product.Clock.GetUtcNow(), default);
        await db.PutVariantAsync(new NewVariant(version.Id, "fp32", "fp32", await Product.StoreAsync($"variant {version.Id}"), null, "{}", null), Product.Alice, Product.Clock.GetUtcNow(), default);
        await db.SaveChangesAsync();
        return version;
    }

    private Task<DatasetVersion> EvaluationSetAsync(string name, params string[] heldOut) =>
        Product.DatasetAsync(name, DatasetKind.Corpus, string.Join('\n', Texts(HeldOut, heldOut).Concat(Texts(Trained, "some row to learn from"))));

    /// <summary>A finished run of an evaluate stage on the held-out rows of a dataset.</summary>
    private async Task<EvaluationRun> RunAsync(ModelVersion version, string dataset, int maxRows = 400, params string[] measured)
    {
        await using var db = Product.Open();
        var suite = await db.EvaluationSuites.SingleOrDefaultAsync(s => s.Name == "quickstart");
        if (suite is null)
            db.Add(suite = new EvaluationSuite { Name = "quickstart", DefinitionJson = "{}", CreatedAt = Product.Clock.GetUtcNow() });
        var run = new EvaluationRun
        {
            SuiteId = suite.Id, VersionId = version.Id, VariantName = "fp32", State = JobState.Succeeded, JobId = Guid.CreateVersion7(), StartedAt = Product.Clock.GetUtcNow(), CreatedBy = "alice",
            DatasetsJson = Json.Write(new { corpus = dataset, instructions = "", preferences = "", rows = 5, max_rows = maxRows }),
        };
        db.Add(run);
        db.RowScores.AddRange(measured.Select(text => new RowScore { EvaluationRunId = run.Id, Task = "corpus", RowKey = RowKeys.OfText(text), Value = 1 }));
        await db.SaveChangesAsync();
        return run;
    }

    private async Task<JudgedVariant> GateAsync(ModelVersion version)
    {
        await Get<SavePolicy>().SaveAsync(Policy, Product.Alice);
        return Assert.Single((await Get<JudgeVersion>().DecideAsync(new(version.Key().ToString(), "quickstart", Policy: "clean/1"), Product.Alice)).Variants);
    }

    [Fact]
    public async Task ACleanVersion_Passes_AndSaysHowManyRowsWereCompared()
    {
        await EvaluationSetAsync("exam", [Leak, .. Unlike("exam", 4)]);
        var version = await TrainAsync("lessons", "lessons/1", null, Unlike("lesson", 30));
        var run = await RunAsync(version, "exam/1");
        Assert.Equal(Verdict.CannotTell, (await GateAsync(version)).Outcome.Verdict);      // before anything was compared

        var statement = await Get<CheckContamination>().OfRunAsync(run.Id);
        Assert.Equal((ContaminationVerdict.Clean, 5, 0, 0), (statement.Verdict, statement.Rows, statement.Exact, statement.Near));
        var pair = Assert.Single(statement.Pairs);
        Assert.Equal(("exam/1", "lessons/1", 5, 30L), (pair.Evaluation, pair.Training, pair.Rows, pair.TrainingRows));
        var judged = await GateAsync(version);
        Assert.Equal(Verdict.Pass, judged.Outcome.Verdict);
        Assert.Contains("None of the 5 rows", judged.Outcome.Reasons.Single().Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OneLeakedRow_FailsTheGate_WithItsRowNamed()
    {
        await EvaluationSetAsync("exam", [.. Unlike("exam", 2), Leak, .. Unlike("more", 2)]);
        var version = await TrainAsync("lessons", "lessons/1", null, [.. Unlike("lesson", 6), Leak.ToUpperInvariant() + "!"]);
        var run = await RunAsync(version, "exam/1", 400, Leak);
        var statement = await Get<CheckContamination>().OfRunAsync(run.Id);
        var found = Assert.Single(statement.Found);
        Assert.Equal((ContaminationVerdict.Contaminated, 1, 0, 3, 7, ContaminationKind.Exact), (statement.Verdict, statement.Exact, statement.Near, found.Row.Row, found.Row.TrainingRow, found.Row.Kind));
        Assert.Equal((Leak, Leak.ToUpperInvariant() + "!"), (found.Row.Text, found.Row.TrainingText));

        var judged = await GateAsync(version);
        Assert.Equal(Verdict.Fail, judged.Outcome.Verdict);
        Assert.Contains("row 3 of exam/1", judged.Outcome.Words, StringComparison.Ordinal);
        Assert.Contains("row 7 of lessons/1 (word by word)", judged.Outcome.Words, StringComparison.Ordinal);
        Assert.Contains(RowKeys.OfText(Leak), judged.Candidate.Contamination!.Named.Single(), StringComparison.Ordinal);
        // The decision keeps it.
        var kept = await ReadAsync(db => db.GateDecisions.AsNoTracking().SingleAsync());
        Assert.Equal(1, Json.Read<GateReport>(kept.ReportJson!).Contamination!.Rows);
    }

    [Fact]
    public async Task ANearDuplicateInAnAncestorsData_IsFound()
    {
        await EvaluationSetAsync("exam", [.. Unlike("exam", 2), Leak]);
        var parent = await TrainAsync("old-lessons", "old-lessons/1", null, [.. Unlike("old", 3), Leak + " Indeed."]);
        var version = await TrainAsync("lessons", "old-lessons/1,lessons/1", parent, Unlike("lesson", 5));
        var run = await RunAsync(version, "exam/1");
        var statement = await Get<CheckContamination>().OfRunAsync(run.Id);
        Assert.Equal((0, 1, "old-lessons/1"), (statement.Exact, statement.Near, statement.Found.Single().Training));
        Assert.InRange(statement.Found.Single().Row.Similarity, 0.9, 0.99);
        Assert.Equal(Verdict.Fail, (await GateAsync(version)).Outcome.Verdict);
    }

    [Fact]
    public async Task AnAncestorThatSaysNothing_CannotTell_HoweverCleanTheRestIs()
    {
        await EvaluationSetAsync("exam", Unlike("exam", 3));
        var imported = await TrainAsync("", "");
        var version = await TrainAsync("lessons", "lessons/1", imported, Unlike("lesson", 5));
        var run = await RunAsync(version, "exam/1");
        var statement = await Get<CheckContamination>().OfRunAsync(run.Id);
        Assert.Equal((ContaminationVerdict.CannotTell, 3), (statement.Verdict, statement.Rows));
        Assert.Contains("ancestor 1 generation back, which is not recorded", Assert.Single(statement.Unchecked), StringComparison.Ordinal);
        var judged = await GateAsync(version);
        Assert.Equal(Verdict.CannotTell, judged.Outcome.Verdict);
        Assert.Contains("not recorded", judged.Outcome.Words, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ALeakIsALeak_AlsoWhereMuchIsUnknown()
    {
        await EvaluationSetAsync("exam", Leak);
        var version = await TrainAsync("lessons", "lessons/1,gone/3", null, Leak);
        var run = await RunAsync(version, "exam/1");
        var statement = await Get<CheckContamination>().OfRunAsync(run.Id);
        Assert.Equal(ContaminationVerdict.Contaminated, statement.Verdict);
        Assert.Contains("gone/3", Assert.Single(statement.Unchecked), StringComparison.Ordinal);
        Assert.Equal(Verdict.Fail, (await GateAsync(version)).Outcome.Verdict);
    }

    [Fact]
    public async Task APair_IsComparedOnce_WhoeverAsks()
    {
        await EvaluationSetAsync("exam", Leak, "another row of the exam");
        var version = await TrainAsync("lessons", "lessons/1", null, Leak);
        var other = await TrainAsync("", "lessons/1", version);
        var (first, second) = (await RunAsync(version, "exam/1"), await RunAsync(other, "exam/1"));
        await AtOnceAsync(4, async i => { await Get<CheckContamination>().OfRunAsync(i % 2 == 0 ? first.Id : second.Id); return i; });
        var kept = await ReadAsync(db => db.ContaminationReports.AsNoTracking().SingleAsync());
        Product.Clock.Advance(TimeSpan.FromHours(1));
        await Get<CheckContamination>().OfRunAsync(second.Id);
        Assert.Equal((kept.Id, kept.At), await ReadAsync(db => db.ContaminationReports.Select(r => new ValueTuple<Guid, DateTimeOffset>(r.Id, r.At)).SingleAsync()));
        Assert.Equal((2, 1, 0), (kept.Rows, kept.ExactRows, kept.NearRows));
    }

    [Fact]
    public async Task WhatAnOlderRuleSaid_IsUnchecked_AndComparedAgain()
    {
        await EvaluationSetAsync("exam", Leak);
        var version = await TrainAsync("lessons", "lessons/1", null, Leak);
        var run = await RunAsync(version, "exam/1");
        await Product.WriteAsync(db => db.ContaminationReports.Add(new ContaminationReport
        {
            EvaluationDataset = "exam/1", TrainingDataset = "lessons/1", EvaluationDatasetDigest = db.DatasetVersions.Single(v => v.Dataset!.Name == "exam").ArtifactDigest,
            TrainingDatasetDigest = db.DatasetVersions.Single(v => v.Dataset!.Name == "lessons").ArtifactDigest, Rows = 1, ReportJson = Json.Write(new LedgerDetail("0", 0, 0, 1, 0, [], 0)),
        }));
        Assert.Equal(ContaminationVerdict.CannotTell, (await Get<ReadContamination>().OfRunAsync(run.Id)).Verdict);
        Assert.Equal(ContaminationVerdict.Contaminated, (await Get<CheckContamination>().OfRunAsync(run.Id)).Verdict);
        Assert.Equal(1, await CountAsync(db => db.ContaminationReports));
    }

    [Fact]
    public async Task ARowThatALimitedRunDidNotMeasure_IsSaid_AndDoesNotCount()
    {
        var rows = Unlike("exam", 20);
        await EvaluationSetAsync("exam", [Leak, .. rows]);
        var version = await TrainAsync("lessons", "lessons/1", null, Leak, rows[3]);
        var few = await RunAsync(version, "exam/1", maxRows: 10, rows[..10]);
        var statement = await Get<CheckContamination>().OfRunAsync(few.Id);
        Assert.Equal((1, 0, 1), (statement.Exact, statement.Near, statement.NotMeasured));
        Assert.Equal(RowKeys.OfText(rows[3]), statement.Found.Single().Row.Keys[1]);
        Assert.Equal("1 measured row is in the training data: 1 word by word, 0 nearly; of all 21 rows of the datasets 2 are.", statement.Words);
        var clean = await RunAsync(version, "exam/1", maxRows: 10, rows[10..]);
        Assert.Equal("No measured row is in the training data; of all 21 rows of the datasets 2 are.", (await Get<ReadContamination>().OfRunAsync(clean.Id)).Words);
        Assert.Equal((ContaminationVerdict.Clean, 2), ((await Get<ReadContamination>().OfRunAsync(clean.Id)) is var s ? (s.Verdict, s.NotMeasured) : default));
        // Whose scores are gone, or who measured everything, all count.
        Assert.Equal(2, (await Get<ReadContamination>().OfRunAsync((await RunAsync(version, "exam/1", maxRows: 10)).Id)).Exact);
        Assert.Equal(2, (await Get<ReadContamination>().OfRunAsync((await RunAsync(version, "exam/1", maxRows: 400, rows[..2])).Id)).Exact);
    }

    [Fact]
    public async Task RowsInsideOfASuite_AreComparedToo()
    {
        const string suite = """
            name: inline
            tasks:
              - name: fox
                kind: generation
                prompt: "{{ question }}"
                target: "{{ answer }}"
                rows:
                  - { id: a1, question: "Which animal jumps over the lazy dog near the river bank on a sunny afternoon?", answer: The quick brown fox }
                  - { id: a2, question: "What else?", answer: nothing at all of importance }
            """;
        var saved = await Get<SaveSuite>().SaveAsync(suite, Product.Alice);
        var version = await TrainAsync("lessons", "lessons/1", null, "Question: which animal jumps over the lazy dog near the river bank on a sunny afternoon? Answer: the quick brown fox.", "unlike");
        var statement = await Get<CheckContamination>().OfQuestionAsync(new(Suite: saved.Key, Version: version.Key().ToString()));
        var found = Assert.Single(statement.Found);
        Assert.Equal((2, 1, "task fox of inline/1"), (statement.Rows, found.Row.Row, found.Evaluation));
        Assert.NotEqual(ContaminationKind.Exact, found.Row.Kind);
        Assert.StartsWith("rows:", (await ReadAsync(db => db.ContaminationReports.AsNoTracking().SingleAsync())).EvaluationDatasetDigest, StringComparison.Ordinal);
    }

    [Fact]
    public async Task MeasuringOnTheTrainSplit_OfATrainedDataset_IsFullContamination()
    {
        var version = await TrainAsync("lessons", "lessons/1", null, Unlike("lesson", 4));
        var saved = await Get<SaveSuite>().SaveAsync("name: cheat\ntasks:\n  - { name: t, kind: perplexity, dataset: lessons/1, split: train, prompt: '', target: '{{ text }}' }\n", Product.Alice);
        var statement = await Get<CheckContamination>().OfQuestionAsync(new(Suite: saved.Key, Version: version.Key().ToString()));
        Assert.Equal((4, 4), (statement.Rows, statement.Exact));
        // Its held-out rows are another question, with another answer.
        Assert.Equal((1, 0), (await Get<CheckContamination>().OfQuestionAsync(new(Dataset: "lessons/1", Version: version.Key().ToString())) is var s ? (s.Rows, s.Exact) : default));
        var seen = await Get<ReadContamination>().OfDatasetAsync("lessons/1");
        Assert.Equal([("lessons/1 train", 4), ("lessons/1", 0)], seen.Measured.Select(e => (e.Evaluation, e.ExactRows)));
        Assert.Equal([version.Key().ToString()], seen.Measured[0].Versions);
    }

    [Fact]
    public async Task ADatasetSaysWhatItTouches_InBothDirections()
    {
        await EvaluationSetAsync("exam", Leak, "nothing of the kind");
        await TrainAsync("lessons", "lessons/1", null, Leak);
        await TrainAsync("others", "others/1", null, Unlike("other", 3));
        var statement = await Get<CheckContamination>().OfQuestionAsync(new(Dataset: "exam/1"));
        Assert.Equal((ContaminationVerdict.Contaminated, 2), (statement.Verdict, statement.Pairs.Count));
        var exam = await Get<ReadContamination>().OfDatasetAsync("exam/1");
        Assert.Equal([("lessons/1", 1), ("others/1", 0)], exam.Measured.Select(e => (e.Training, e.ExactRows)));
        Assert.Empty(exam.Trained);
        var lessons = await Get<ReadContamination>().OfDatasetAsync("lessons/1");
        Assert.Equal("exam/1", Assert.Single(lessons.Trained).Evaluation);
        var rows = await Get<ReadContamination>().ReportRowsAsync(lessons.Trained[0].Id, new(Kind: "exact"), 0, 10);
        Assert.Equal((1, Leak), (rows.Total, rows.Rows[0].Row.Text));
        Assert.Equal(0, (await Get<ReadContamination>().ReportRowsAsync(lessons.Trained[0].Id, new(Search: "elephant"), 0, 10)).Total);
    }

    [Fact]
    public async Task MoreRowsThanAreListed_AreCounted()
    {
        var rows = Unlike("exam", 1010);
        // More headwords than the short list has.
        static IEnumerable<string> Rows(IEnumerable<string> texts, bool heldOut) => Enumerable.Range(0, 200_000).Select(i => $"h{i}").Where(w => LlmOps.Engines.Text.Split.IsHeldOut(w) == heldOut).Zip(texts, (w, t) => JsonSerializer.Serialize(new { text = t, headword = w }));
        await Product.DatasetAsync("exam", DatasetKind.Corpus, string.Join('\n', Rows(rows, true)));
        await Product.DatasetAsync("lessons", DatasetKind.Corpus, string.Join('\n', Rows(rows, false)));
        var version = await TrainAsync("", "lessons/1");
        var run = await RunAsync(version, "exam/1", maxRows: 10, rows[..10]);
        var statement = await Get<CheckContamination>().OfRunAsync(run.Id);
        Assert.Equal((1010, 1010, 10, 1000), (statement.Rows, statement.Exact + statement.Near, statement.Unlisted, statement.Found.Count));
    }

    [Fact]
    public async Task WrongQuestions_AreRefused()
    {
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<CheckContamination>().OfQuestionAsync(new()));
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => Get<CheckContamination>().OfQuestionAsync(new(Dataset: "a/1", Suite: "b/1")));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<CheckContamination>().OfQuestionAsync(new(Dataset: "a/1")));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => Get<CheckContamination>().OfRunAsync(Guid.NewGuid()));
        var start = Get<StartContaminationCheck>();
        await RefusedAsync(ErrorCode.PermissionDenied, () => start.StartAsync(new() { Dataset = "a/1" }, Product.Victor));
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => start.StartAsync(new(), Product.Alice));
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => start.StartAsync(new() { Runs = "no-id" }, Product.Alice));
        await RefusedAsync(ErrorCode.ResourceDoesNotExist, () => start.StartAsync(new() { Runs = Guid.NewGuid().ToString() }, Product.Alice));
        await RefusedAsync(ErrorCode.InvalidParameterValue, () => start.StartAsync(new() { Runs = Guid.NewGuid().ToString(), Version = "a/1" }, Product.Alice));
        await EvaluationSetAsync("exam", Leak);
        var job = await start.StartAsync(new() { Dataset = "exam/1" }, Product.Alice);
        Assert.Equal("check-contamination", await ReadAsync(db => db.Jobs.Where(j => j.Id == job).Select(j => j.Kind).SingleAsync()));
    }
}

public sealed class ContaminationOnSqlite() : ContaminationTests(DatabaseProvider.Sqlite);

public sealed class ContaminationOnPostgres() : ContaminationTests(DatabaseProvider.Postgres);
