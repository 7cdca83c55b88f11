using System.Diagnostics;
using LlmOps.Engines.Text;

namespace LlmOps.Engines.Inference.Batching;

/// <summary>The thread that computes: at every turn a piece of the newest prompt, then one token for every row.</summary>
internal sealed class BatchLoop : IDisposable
{
    // Without others to disturb a prompt is computed in larger pieces, between which it can still be given up.
    private const int LonelyChunk = 512;
    private readonly DecoderSession decoder;
    private readonly Tokenizer tokenizer;
    private readonly Lazy<TokenTrie> trie;
    private readonly BatchSettings settings;
    private readonly CachedDecoder prompts;
    private readonly DecodeRows keys;
    private readonly Lock gate = new();
    private readonly FairQueue<BatchRequest> queue = new();
    private readonly Queue<BatchStep> steps = [];
    private readonly List<BatchRow> rows = [];
    private readonly AutoResetEvent wake = new(false);
    private readonly Thread thread;
    private readonly long began = Stopwatch.GetTimestamp();
    private BatchRequest? prompting;
    private long step, cacheBytes;
    private int requests, joined, left;
    private bool stopped;

    public BatchLoop(DecoderSession decoder, Tokenizer tokenizer, Lazy<TokenTrie> trie, long prefixBytes, BatchSettings settings, bool together)
    {
        (this.decoder, this.tokenizer, this.trie, this.settings) = (decoder, tokenizer, trie, settings);
        prompts = new(decoder, prefixBytes);
        keys = DecodeRows.Of(decoder, together);
        thread = new(Work) { IsBackground = true, Name = "batch" };
        thread.Start();
    }

    public int Requests { get { lock (gate) return requests; } }

    public int Waiting { get { lock (gate) return queue.Count; } }

    public IReadOnlyList<BatchStep> Steps { get { lock (gate) return [.. steps]; } }

    public long CacheBytes => Interlocked.Read(ref cacheBytes);

    public void Add(BatchRequest request)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(stopped, typeof(BatchedGenerator));
            queue.Add(request.Client, request);
            requests++;
        }
        wake.Set();
    }

    public void Wake()
    {
        lock (gate)
            if (!stopped)
                wake.Set();
    }

    private void Work()
    {
        while (!Volatile.Read(ref stopped))
            try
            {
                if (!Turn())
                    wake.WaitOne();
            }
            catch (Exception e)
            {
                // What nobody foresaw must not end the thread that all wait for.
                foreach (var request in Running())
                    End(request, e);
            }
        List<BatchRequest> left;
        lock (gate)
            left = queue.Remove(_ => true);
        foreach (var request in left.Concat(Running()))
            End(request, new ObjectDisposedException(nameof(BatchedGenerator), "The model was closed."));
    }

    private List<BatchRequest> Running() => [.. rows.Select(r => r.Request).Append(prompting).OfType<BatchRequest>().Distinct()];

    // False when there is nothing to do.
    private bool Turn()
    {
        (joined, left) = (0, 0);
        DropCancelled();
        if (prompting is null)
            Admit();
        if (prompting is null && rows.Count == 0)
            return false;
        var start = Stopwatch.GetTimestamp();
        var promptTokens = prompting is null ? 0 : ComputePrompt(prompting);
        var grown = rows.Count;
        if (grown > 0)
            Grow();
        Interlocked.Exchange(ref cacheBytes, prompts.CacheBytes + keys.Bytes);
        lock (gate)
        {
            if (steps.Count == settings.RememberedSteps)
                steps.Dequeue();
            steps.Enqueue(new(step++, Stopwatch.GetElapsedTime(began, start).TotalMilliseconds, Stopwatch.GetElapsedTime(start).TotalMilliseconds, grown, promptTokens, queue.Count) { Joined = joined, Left = left });
        }
        return true;
    }

    private void DropCancelled()
    {
        List<BatchRequest> gone;
        lock (gate)
            gone = queue.Remove(r => r.Cancelled.IsCancellationRequested);
        if (prompting?.Cancelled.IsCancellationRequested == true)
            gone.Add(prompting);
        gone.AddRange(rows.Select(r => r.Request).Where(r => r.Cancelled.IsCancellationRequested).Distinct());
        foreach (var request in gone)
            End(request, new OperationCanceledException(request.Cancelled));
    }

    private void Admit()
    {
        BatchRequest? next;
        lock (gate)
        {
            next = queue.Peek();
            if (next is null || (rows.Count > 0 && rows.Count + next.Rows > settings.Rows))
                return;
            queue.Take();
        }
        prompting = next;
        Guarded(next, () =>
        {
            var (options, prompt) = (next.Options, next.Prompt);
            int[] ends = [decoder.Config.EosTokenId, .. tokenizer.EndIds, .. options.EndTokens ?? []];
            var room = Math.Min(options.MaxNewTokens, decoder.Config.MaxPositionEmbeddings - prompt.Length);
            next.Answers = [.. Enumerable.Range(0, next.Rows).Select(i => new Continuation(options, tokenizer, options.Grammar?.Start(trie.Value), prompt, ends, room, i))];
            next.Reused = next.Done = prompts.Start(prompt, prompt.Length);
            lock (gate)
                queue.Charge(next.Client, prompt.Length - next.Reused);
        });
    }

    private int ComputePrompt(BatchRequest request)
    {
        var count = Math.Min(rows.Count > 0 ? settings.PromptChunk : Math.Max(settings.PromptChunk, LonelyChunk), request.Prompt.Length - request.Done);
        Guarded(request, () =>
        {
            var logits = prompts.Append(request.Prompt.AsSpan(request.Done, count), request.Cancelled);
            request.Done += count;
            if (request.Done < request.Prompt.Length)
                return;
            foreach (var answer in request.Answers)
                Emit(request, answer.Next(logits));
            joined += request.Answers.Count;
            left += request.Answers.Count(a => a.IsFinished);
            foreach (var answer in request.Answers.Where(a => !a.IsFinished))
            {
                keys.Join(prompts.Current);
                rows.Add(new(request, answer, [.. request.Prompt]));
            }
            prompting = null;
            if (request.IsOver)
                End(request, null);
        });
        return count;
    }

    private void Grow()
    {
        var tokens = rows.Select(r => r.Answer.LastToken).ToArray();
        var failed = new Dictionary<BatchRequest, Exception>();
        try
        {
            keys.Step(tokens, (row, logits) =>
            {
                var (request, answer, known) = rows[row];
                known.Add(tokens[row]);
                try
                {
                    Emit(request, answer.Next(logits));
                }
                catch (Exception e) when (e is ArgumentException or InvalidModelException)
                {
                    failed.TryAdd(request, e);
                }
            });
        }
        catch (Exception e)
        {
            foreach (var request in rows.Select(r => r.Request).Distinct())
                failed.TryAdd(request, e);
        }
        foreach (var (request, error) in failed)
            End(request, error);
        var finished = rows.Where(r => r.Answer.IsFinished).Select(r => r.Request).Distinct().ToList();
        for (var row = rows.Count - 1; row >= 0; row--)
            if (rows[row].Answer.IsFinished)
                Leave(row, keep: rows[row].Request.Rows == 1);
        foreach (var request in finished.Where(r => r.IsOver))
            End(request, null);
    }

    private void Emit(BatchRequest request, GeneratedToken token)
    {
        request.Tokens.Writer.TryWrite(token with { CachedPromptTokens = request.Reused });
        lock (gate)
            queue.Charge(request.Client, 1);
    }

    private void Leave(int row, bool keep)
    {
        left++;
        var tokens = rows[row].Tokens;
        keys.Leave(row, keep ? store => prompts.Keep(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(tokens), busy: prompting is not null, store) : null);
        rows[row] = rows[^1];
        rows.RemoveAt(rows.Count - 1);
    }

    // What one request does wrong ends that one.
    private void Guarded(BatchRequest request, Action work)
    {
        try
        {
            work();
        }
        catch (Exception e)
        {
            End(request, e);
        }
    }

    private void End(BatchRequest request, Exception? error)
    {
        for (var row = rows.Count - 1; row >= 0; row--)
            if (rows[row].Request == request)
                Leave(row, keep: false);
        if (prompting == request)
            prompting = null;
        if (!request.Ended.TrySetResult())
            return;
        request.Tokens.Writer.TryComplete(error);
        lock (gate)
        {
            requests--;
            queue.Forget(client => rows.All(r => r.Request.Client != client) && prompting?.Client != client);
        }
    }

    public void Dispose()
    {
        lock (gate)
            stopped = true;
        wake.Set();
        thread.Join();
        keys.Dispose();
        prompts.Dispose();
        wake.Dispose();
    }
}
