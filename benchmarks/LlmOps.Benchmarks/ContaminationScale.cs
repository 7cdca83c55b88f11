using System.Diagnostics;
using System.Globalization;
using LlmOps.Engines.Evaluation.Contamination;

namespace LlmOps.Benchmarks;

/// <summary>
/// Evaluation rows against training rows of random words, of which one in a thousand is an evaluation row: half of them word by word, half with a
/// word more. The training rows are made while they are read, so the time and the memory are those of the check and of making them; making them alone is timed too.
/// </summary>
internal static class ContaminationScale
{
    public const string Command = "contamination";
    private const int Words = 30;

    public static void Run(int evaluationRows, int trainingRows)
    {
        string[] vocabulary = [.. Enumerable.Range(0, 20_000).Select(i => "w" + (i * 7919L % 104_729).ToString("x", CultureInfo.InvariantCulture))];
        string Text(Random random) => string.Join(' ', Enumerable.Range(0, Words).Select(_ => vocabulary[(int)(vocabulary.Length * Math.Pow(random.NextDouble(), 3))]));
        var first = new Random(1);
        string[] evaluation = [.. Enumerable.Range(0, evaluationRows).Select(_ => Text(first))];
        IEnumerable<ContaminationRow> Training()
        {
            var random = new Random(2);
            for (var i = 0; i < trainingRows; i++)
                yield return new(i, i % 1000 != 0 ? Text(random) : evaluation[i / 1000 % evaluationRows] + (i / 1000 % 2 == 0 ? "" : " more"));
        }
        var clock = Stopwatch.StartNew();
        var characters = Training().Sum(r => (long)r.Text.Length);
        var made = clock.Elapsed;
        clock.Restart();
        long largest = 0;
        var found = ContaminationCheck.Run(evaluation.Select((t, i) => new ContaminationRow(i, t)), Training, progress: _ => largest = Math.Max(largest, GC.GetTotalMemory(false)));
        var passes = Math.Max(1, (int)Math.Ceiling(evaluationRows / (double)new ContaminationOptions().BlockRows));
        Console.WriteLine(Say($"{evaluationRows:N0} evaluation rows, {trainingRows:N0} training rows of {Words} words ({characters / 1e6:f0} MB), {passes} pass(es)"));
        Console.WriteLine(Say($"making the training rows once: {made.TotalSeconds:f1} s"));
        Console.WriteLine(Say($"check: {clock.Elapsed.TotalSeconds:f1} s, {passes * trainingRows / clock.Elapsed.TotalSeconds:N0} training rows/s; managed memory at most {largest / 1e6:f0} MB"));
        Console.WriteLine(Say($"found {found.ExactRows:N0} exact and {found.NearRows:N0} near; {found.Candidates:N0} pairs were compared in full, of {(double)evaluationRows * trainingRows:0.0e0}"));
    }

    private static string Say(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
