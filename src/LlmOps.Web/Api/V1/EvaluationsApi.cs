using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Promotion;

namespace LlmOps.Web.Api.V1;

public sealed record Flips(int Improved, int Regressed);

/// <param name="Differences">B minus A on the rows both have, with intervals.</param>
/// <param name="BelowNoise">Differences that are smaller than what repeats of one model differ by; empty too where the suite was never repeated.</param>
/// <param name="Incomparable">Metric → why it is not compared: times and memory of different machines.</param>
/// <param name="Judges">What has to be known about the judges behind the scores of either run.</param>
/// <param name="Metrics">The same with p, rows that moved, rows that are missing, and slices.</param>
public sealed record ComparisonAnswer(EvaluationRow A, EvaluationRow B, IReadOnlyList<MeasuredMetric> Differences, IReadOnlyDictionary<string, Flips> Flips, IReadOnlyList<MetricComparison> Metrics, IReadOnlyList<string> Unpaired,
    IReadOnlyList<BelowNoise> BelowNoise, IReadOnlyDictionary<string, string> Incomparable, IReadOnlyList<string> Judges)
{
    public static async Task<ComparisonAnswer> OfAsync(Comparison compared, ReadEvaluations read, ReadNoise noise, CancellationToken ct)
    {
        var (a, b) = (await read.GetAsync(compared.A.Id, ct), await read.GetAsync(compared.B.Id, ct));
        return new(a.Row, b.Row,
            compared.Differences, compared.Flips.ToDictionary(f => f.Key, f => new Flips(f.Value.Improved, f.Value.Regressed)), compared.Metrics, compared.Unpaired,
            Lifecycle.Evaluation.BelowNoise.Of(compared.Metrics, await noise.ForComparisonAsync(compared.A.Id, compared.B.Id, ct)), compared.Incomparable, [.. a.Judges.Union(b.Judges)]);
    }
}

public static class EvaluationsApi
{
    public static void MapEvaluations(this IEndpointRouteBuilder v1)
    {
        var evaluations = v1.MapGroup("/evaluations").WithTags("Evaluations");
        evaluations.MapGet("", ([AsParameters] ListParameters list, string? suite, string? model, ReadEvaluations read, CancellationToken ct) =>
            read.ListAsync(new(suite, model, list.Q), list.From, list.Most, ct)).WithSummary("Evaluation runs with their numbers, newest first.");
        evaluations.MapGet("/{id:guid}", (Guid id, ReadEvaluations read, CancellationToken ct) => read.GetAsync(id, ct)).WithSummary("One evaluation run.");
        evaluations.MapGet("/{id:guid}/noise", async (Guid id, ReadNoise noise, CancellationToken ct) => await noise.OfRunAsync(id, ct)
            ?? throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"The run {id} was measured once, so its noise is not known. Run its suite with repeats, and ask for one of them.")).WithSummary("How far the repeats of a run differ.");
        evaluations.MapGet("/{id:guid}/tasks", (Guid id, ReadRowScores read, CancellationToken ct) => read.TasksAsync(id, ct)).WithSummary("What was measured, and on how many rows.");
        evaluations.MapGet("/{id:guid}/rows", (Guid id, string task, string? slice, string? outcome, [AsParameters] ListParameters list, ReadRowScores read, CancellationToken ct) =>
            read.ListAsync(id, new(task, list.Q, slice, outcome), list.From, list.Most, ct)).WithSummary("Row scores of a task, the worst first.");
        evaluations.MapGet("/{id:guid}/pictures/{number:int}", async (Guid id, int number, ReadEvaluations read, ArtifactStore artifacts, HttpResponse response, CancellationToken ct) =>
        {
            var digest = (await read.GetAsync(id, ct)).Pictures.ElementAtOrDefault(number)?.Digest ?? throw LlmOpsException.NotFound("Picture", number);
            // What a run showed never changes.
            response.Headers.CacheControl = "private, max-age=86400, immutable";
            return Results.Stream(artifacts.OpenFile((await artifacts.ManifestAsync(digest, ct)).Files.Single()), "image/png");
        }).WithSummary("One picture of a small model's evaluation as PNG; the run lists them, counted from 0.");
        evaluations.MapGet("/compare", async (Guid a, Guid b, ReadEvaluations read, CompareRuns compare, ReadNoise noise, CancellationToken ct) => await ComparisonAnswer.OfAsync(await compare.CompareAsync(a, b, ct: ct), read, noise, ct))
            .WithSummary("Two runs, paired on the rows both have.");
        evaluations.MapGet("/compare/rows", (Guid a, Guid b, string task, string? filter, [AsParameters] ListParameters list, CompareRuns compare, CancellationToken ct) =>
            compare.PairsAsync(a, b, task, filter ?? "", list.From, list.Most, ct)).WithSummary("The paired rows of a task; filter: improved or regressed.");
        evaluations.MapComparisons();
    }
}
