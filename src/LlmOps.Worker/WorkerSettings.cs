using LlmOps.Lifecycle.Data;
using Microsoft.Extensions.Configuration;

namespace LlmOps.Worker;

/// <summary>Whether programs that a model wrote may be run here.</summary>
public enum ModelPrograms
{
    Off,
    /// <summary>Only without a network and without sight of other processes.</summary>
    Isolated,
    /// <summary>Also where the system takes neither away.</summary>
    Allowed,
}

/// <summary>Settings under "Worker:". A wrong one stops the start and says which key to set.</summary>
public sealed record WorkerSettings(string Name, int Slots, TimeSpan Lease, TimeSpan Poll, string Provides, string WorkRoot, string? OwnedDataFolder, int Threads, ModelPrograms Programs = ModelPrograms.Off)
{
    /// <summary>Keys of endpoints that judge, by the names that judges' documents use: "Judges:Keys:NAME". They go to the endpoint and nowhere else.</summary>
    public IReadOnlyDictionary<string, string> JudgeKeys { private get; init; } = new Dictionary<string, string>();

    /// <summary>Log-probabilities of starting versions, by content; safe to delete at any time.</summary>
    public string ReferenceCache { get; } = Path.Combine(Path.GetDirectoryName(WorkRoot) ?? "", "cache", "reference-logprobs");

    /// <summary>Folder of a libtorch built for CUDA; null trains on the processor only.</summary>
    public string? LibtorchFolder { get; init; }

    public string? JudgeKey(string name) => JudgeKeys.GetValueOrDefault(name);

    public static WorkerSettings From(IConfiguration configuration)
    {
        var slots = configuration.GetValue("Worker:Slots", 1);
        var lease = configuration.GetValue("Worker:LeaseSeconds", 30.0);
        if (slots is < 1 or > 64)
            throw new InvalidOperationException($"Worker:Slots is {slots}; set Worker__Slots to 1 … 64.");
        if (lease is < 1 or > 3600)
            throw new InvalidOperationException($"Worker:LeaseSeconds is {lease}; set Worker__LeaseSeconds to 1 … 3600.");
        var programs = configuration["Worker:Programs"] is { Length: > 0 } named
            ? Enum.TryParse<ModelPrograms>(named, ignoreCase: true, out var known) && Enum.IsDefined(known) && !char.IsAsciiDigit(named[0]) ? known
                : throw new InvalidOperationException($"Worker:Programs is '{named}'; set Worker__Programs to off, isolated or allowed.")
            : ModelPrograms.Off;
        var data = DataFolder.Of(configuration);
        return new(configuration["Worker:Name"] ?? $"{Environment.MachineName}-{Environment.ProcessId}", slots, TimeSpan.FromSeconds(lease),
            TimeSpan.FromMilliseconds(configuration.GetValue("Worker:PollMs", 1000)), configuration["Worker:Provides"] ?? "cpu", Path.Combine(data, "work"),
            configuration.IsPostgres() ? null : data, configuration.GetValue("Worker:Threads", 0), programs)
        {
            LibtorchFolder = configuration["Worker:LibtorchFolder"] is { Length: > 0 } folder ? folder : null,
            JudgeKeys = configuration.GetSection("Judges:Keys").GetChildren().Where(c => c.Value is { Length: > 0 }).ToDictionary(c => c.Key, c => c.Value!, StringComparer.OrdinalIgnoreCase),
        };
    }
}
