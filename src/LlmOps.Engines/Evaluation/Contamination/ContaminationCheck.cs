namespace LlmOps.Engines.Evaluation.Contamination;

/// <summary>
/// Finds the rows of an evaluation set that are in a training set: word by word, nearly, or inside of a longer row.
/// </summary>
/// <remarks>
/// <para>Exact: the normalised texts are equal (<see cref="ContaminationText"/>). Near: the Jaccard similarity of their sets of word shingles is at least
/// <see cref="ContaminationOptions.Threshold"/>; pairs to look at come from MinHash signatures in LSH bands (<see cref="MinHash"/>,
/// <see cref="LshBanding"/>), and each is decided by the true similarity, so the sketch can miss a pair with the stated probability and
/// never invents one. Contained: one training row holds at least <see cref="ContaminationOptions.Containment"/> of the n-grams of the row or of one of its passages.</para>
/// <para>The evaluation rows are taken in blocks of bounded size; for each block the training rows are streamed once and none is kept. So
/// memory does not grow with the training set, and the result is the same whatever the block size, except that boilerplate is counted
/// within a block.</para>
/// </remarks>
public static class ContaminationCheck
{
    private const int ReportEvery = 4096;

    /// <param name="evaluation">Read once, a block at a time.</param>
    /// <param name="training">Called once for each block of evaluation rows; each time it must give the same rows.</param>
    /// <param name="options">What counts as alike; null for the defaults.</param>
    /// <param name="progress">Told the training rows read so far, over all blocks.</param>
    /// <param name="ct">Looked at every few thousand rows.</param>
    /// <exception cref="ArgumentOutOfRangeException">When an option makes no sense.</exception>
    /// <exception cref="OperationCanceledException">When it was cancelled; nothing is kept.</exception>
    public static ContaminationFindings Run(IEnumerable<ContaminationRow> evaluation, Func<IEnumerable<ContaminationRow>> training, ContaminationOptions? options = null,
        Action<long>? progress = null, CancellationToken ct = default)
    {
        ArgumentNullException.ThrowIfNull(evaluation);
        ArgumentNullException.ThrowIfNull(training);
        options ??= new();
        options.EnsureValid();
        int rows = 0, blank = 0, tooShort = 0;
        long read = 0, trainingRows = 0, candidates = 0;
        var found = new List<ContaminatedRow>();
        void Take(EvaluationBlock block)
        {
            block.Close();
            trainingRows = 0;
            foreach (var row in training())
            {
                block.Compare(row, trainingRows++);
                if (++read % ReportEvery != 0)
                    continue;
                ct.ThrowIfCancellationRequested();
                progress?.Invoke(read);
            }
            rows += block.Rows;
            blank += block.BlankRows;
            tooShort += block.ShortRows;
            candidates += block.Candidates;
            found.AddRange(block.Found());
        }

        var open = new EvaluationBlock(options);
        foreach (var row in evaluation)
        {
            ct.ThrowIfCancellationRequested();
            open.Add(row);
            if (!open.IsFull)
                continue;
            Take(open);
            open = new(options);
        }
        // An empty evaluation set still reads the training set once: its count is part of the answer.
        if (open.Rows > 0 || rows == 0)
            Take(open);
        return new(rows, blank, tooShort, trainingRows, [.. found.OrderBy(f => f.Row)], candidates);
    }
}
