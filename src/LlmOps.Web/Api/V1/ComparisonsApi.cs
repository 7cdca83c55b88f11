using System.Globalization;
using System.Text;
using LlmOps.Lifecycle.Evaluation;

namespace LlmOps.Web.Api.V1;

/// <summary>Two to six runs against the first. Runs are named by id, or by version and variant, "name/3:int8", whose newest run is meant.</summary>
public static class ComparisonsApi
{
    public static void MapComparisons(this IEndpointRouteBuilder evaluations)
    {
        var many = evaluations.MapGroup("/comparison");
        many.MapGet("", async (string runs, string? suite, ResolveRuns resolve, CompareRuns compare, ReadEvaluations read, ReadNoise noise, CancellationToken ct) =>
        {
            var answers = new List<ComparisonAnswer>();
            foreach (var compared in await compare.CompareAllAsync(await resolve.ResolveAsync(runs, suite, ct), ct))
                answers.Add(await ComparisonAnswer.OfAsync(compared, read, noise, ct));
            return answers;
        }).WithSummary("Each run against the first, on the rows both scored: effect, interval, p, Holm's p, rows that moved, missing rows, slices.");
        many.MapGet("/rows", async (string runs, string task, string? filter, string? suite, [AsParameters] ListParameters list, ResolveRuns resolve, CompareRuns compare, CancellationToken ct) =>
            await compare.RowsAsync(await resolve.ResolveAsync(runs, suite, ct), task, filter, list.From, list.Most, ct)).WithSummary("Row by row; filter: regressed, improved, disagree, missing or paired.");
        many.MapGet("/export.csv", async (string runs, string? suite, ResolveRuns resolve, CompareRuns compare, ReadEvaluations read, CancellationToken ct) =>
        {
            var csv = new StringBuilder("run_a,run_b,a,b,metric,unit,value_a,value_b,effect,low,high,p,p_holm,n,improved,regressed,missing_a,missing_b,missing_both,test\n");
            foreach (var compared in await compare.CompareAllAsync(await resolve.ResolveAsync(runs, suite, ct), ct))
            {
                var (a, b) = ((await read.GetAsync(compared.A.Id, ct)).Row, (await read.GetAsync(compared.B.Id, ct)).Row);
                foreach (var m in compared.Metrics)
                    csv.AppendJoin(',', new object[]
                    {
                        a.Id, b.Id, $"{a.Version} {a.Variant}", $"{b.Version} {b.Variant}", m.Task.FullName, m.Task.Unit, m.A, m.B, m.Difference.Value, m.Difference.Low, m.Difference.High, m.PValue, m.AdjustedPValue,
                        m.Difference.N, m.Improved, m.Regressed, m.Missing.InA, m.Missing.InB, m.Missing.InBoth, m.Test,
                    }.Select(Cell)).Append('\n');
            }
            return Results.Text(csv.ToString(), "text/csv", Encoding.UTF8);
        }).WithSummary("The comparison as CSV, one line for each metric and run.");
    }

    private static string Cell(object value)
    {
        var text = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
        return text.AsSpan().IndexOfAny(",\"\n") >= 0 ? $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : text;
    }
}
