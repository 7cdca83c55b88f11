using System.Diagnostics;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Inference.Batching;

namespace LlmOps.SideBySide;

/// <summary>A request of the benchmark: its prompt, and how many tokens the answer has.</summary>
internal sealed record StreamRequest(int[] Prompt, int Answer)
{
    public const int PromptTokens = 128;

    /// <summary>The same for every engine: answers have 64 to 192 tokens, so that streams do not end in step.</summary>
    public static StreamRequest Of(int stream, int number)
    {
        var random = new Random(unchecked(7919 * stream + number + 1));
        return new([.. Enumerable.Range(0, PromptTokens).Select(_ => random.Next(300, RandomLlama.Config().VocabSize))], random.Next(64, 193));
    }
}

/// <summary>Counts tokens and first tokens after a warm-up.</summary>
internal sealed class StreamClock(double seconds)
{
    public const double WarmUp = 1.5;
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private readonly List<double> firstMs = [];
    private int tokens;

    public double Now => clock.Elapsed.TotalSeconds;
    public bool IsOver => Now >= WarmUp + seconds;

    /// <summary>A token of a request that began then.</summary>
    public void Add(double began, bool first)
    {
        lock (firstMs)
        {
            if (Now is < WarmUp || IsOver)
                return;
            tokens++;
            if (first && began >= WarmUp)
                firstMs.Add((Now - began) * 1000);
        }
    }

    public StreamResult Result() => new(tokens / seconds, [.. firstMs]);
}

internal sealed record StreamResult(double TokensPerSecond, double[] FirstMs);

/// <summary>Answers requests of some streams, each of which asks again as soon as it has its answer.</summary>
internal interface IStreams : IDisposable
{
    StreamResult Run(int streams, double seconds);

    IReadOnlyList<BatchStep> Steps { get; }
}

/// <summary>The library's continuous batching, as the server uses it: fair queue, prompt pieces between steps, sampling, text, a channel for each answer.</summary>
internal sealed class OurStreams(string folder, IReadOnlyDictionary<string, string> settings) : IStreams
{
    private readonly BatchedGenerator generator = BatchedGenerator.Load(folder,
        new SessionSettings(Threads: int.Parse(settings.GetValueOrDefault("threads", "2")), AllowSpinning: settings.GetValueOrDefault("spin", "0") == "1") { HugePages = settings.ContainsKey("huge") },
        new BatchSettings(PromptChunk: int.Parse(settings.GetValueOrDefault("chunk", "128"))) { TogetherWhateverIsRounded = settings.ContainsKey("together") });

    public IReadOnlyList<BatchStep> Steps => generator.Steps;

    public StreamResult Run(int streams, double seconds)
    {
        var clock = new StreamClock(seconds);
        Task.WaitAll(Enumerable.Range(0, streams).Select(s => Task.Run(() => StreamAsync(s, streams, clock))).ToArray());
        return clock.Result();
    }

    private async Task StreamAsync(int stream, int streams, StreamClock clock)
    {
        await Task.Delay(TimeSpan.FromSeconds(stream / (double)streams));
        for (var number = 0; !clock.IsOver; number++)
        {
            var request = StreamRequest.Of(stream, number);
            var (began, first) = (clock.Now, true);
            await foreach (var _ in generator.GenerateAsync(request.Prompt, new(request.Answer) { MinNewTokens = request.Answer }, $"stream {stream}"))
            {
                clock.Add(began, first);
                first = false;
                if (clock.IsOver)
                    break;
            }
        }
    }

    public void Dispose() => generator.Dispose();
}

/// <summary>
/// llama.cpp as its server drives it: one evaluation holds the next token of every sequence and then as much of the waiting prompts as fits into a batch of 512; the most
/// likely token is taken. No text is made and nothing is sent.
/// </summary>
internal sealed class LlamaStreams(string library, string gguf, IReadOnlyDictionary<string, string> settings) : IStreams
{
    private const int Sequences = 8, Batch = 512;
    private readonly LlamaCpp llama = new(library, gguf, int.Parse(settings.GetValueOrDefault("threads", "2")), -1, Sequences);

    public IReadOnlyList<BatchStep> Steps => [];

    private sealed class Slot(double start)
    {
        public StreamRequest? Request;
        public double Start = start, Began;
        public int Number, Done, Made, Last;
    }

    public StreamResult Run(int streams, double seconds)
    {
        llama.Reset();
        var clock = new StreamClock(seconds);
        var slots = Enumerable.Range(0, streams).Select(s => new Slot(s / (double)streams)).ToArray();
        var batch = new List<LlamaCpp.Placed>();
        while (!clock.IsOver)
        {
            batch.Clear();
            for (var s = 0; s < streams; s++)
            {
                var slot = slots[s];
                if (slot.Request is null && clock.Now >= slot.Start)
                    (slot.Request, slot.Began, slot.Done, slot.Made) = (StreamRequest.Of(s, slot.Number++), clock.Now, 0, 0);
                if (slot.Request is { } request && slot.Done == request.Prompt.Length)
                    batch.Add(new(s, slot.Done + slot.Made - 1, slot.Last, true));
            }
            for (var s = 0; s < streams; s++)
                if (slots[s] is { Request: { } request } slot)
                    for (; slot.Done < request.Prompt.Length && batch.Count < Batch; slot.Done++)
                        batch.Add(new(s, slot.Done, request.Prompt[slot.Done], slot.Done == request.Prompt.Length - 1));
            if (batch.Count == 0)
                continue;
            llama.Evaluate(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(batch), (i, token) =>
            {
                var slot = slots[batch[i].Sequence];
                clock.Add(slot.Began, slot.Made == 0);
                (slot.Last, slot.Made) = (token, slot.Made + 1);
                if (slot.Made < slot.Request!.Answer)
                    return;
                llama.Forget(batch[i].Sequence);
                slot.Request = null;
            });
        }
        return clock.Result();
    }

    public void Dispose() => llama.Dispose();
}
