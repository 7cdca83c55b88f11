using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace LlmOps.Lifecycle.Tracing;

/// <param name="RetentionDays">Traces that began longer ago are deleted; 0 keeps everything.</param>
/// <param name="SampleRatio">The share of traces that is kept of those that clients send. A trace is kept whole or not at all.</param>
public sealed record TraceSettings(double RetentionDays = 0, double SampleRatio = 1, bool HideSecrets = true, bool HidePersonalData = true)
{
    public static TraceSettings From(IConfiguration configuration)
    {
        var hide = (configuration["Traces:Hide"] ?? "secrets,personal-data").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        if (hide.FirstOrDefault(h => h is not ("secrets" or "personal-data" or "nothing")) is { } unknown)
            throw new InvalidOperationException($"Traces:Hide has '{unknown}'. Set Traces__Hide to 'secrets', 'personal-data', both with a comma between them, or 'nothing'.");
        return new(Number(configuration, "Traces:RetentionDays", 0, 0, 36_500), Number(configuration, "Traces:SampleRatio", 1, 0, 1), hide.Contains("secrets"), hide.Contains("personal-data"));
    }

    /// <summary>By the trace's random number, as OpenTelemetry samples: every process decides alike, whichever span comes first.</summary>
    public bool Keeps(string traceId) =>
        SampleRatio >= 1 || (SampleRatio > 0 && ulong.Parse(traceId.AsSpan(18, 14), NumberStyles.HexNumber, CultureInfo.InvariantCulture) < SampleRatio * (1UL << 56));

    private static double Number(IConfiguration configuration, string key, double otherwise, double least, double most)
    {
        if (configuration[key] is not { Length: > 0 } text)
            return otherwise;
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most ? value
            : throw new InvalidOperationException($"{key} is '{text}'. Set {key.Replace(":", "__", StringComparison.Ordinal)} to a number from {least} to {most}.");
    }
}
