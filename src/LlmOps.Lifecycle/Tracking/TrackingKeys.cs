using System.Globalization;
using System.Text.RegularExpressions;

namespace LlmOps.Lifecycle.Tracking;

/// <summary>
/// Ids as the MLflow API writes them: 32 hexadecimal digits, without dashes. The experiment that clients use when they name none is called 0 there.
/// </summary>
public static partial class TrackingKeys
{
    public const string DefaultExperiment = "Default";
    /// <summary>The id of <see cref="DefaultExperiment"/>, written "0".</summary>
    public static readonly Guid DefaultExperimentId = new("00000000-0000-0000-0000-0000000000e0");

    public static string Text(Guid id) => id == DefaultExperimentId ? "0" : id.ToString("N");

    public static Guid Experiment(string? text)
    {
        var id = Required(text, "experiment_id");
        if (id.Length > 64 || id.Any(c => char.IsControl(c) || c is '/' or '\\'))
            throw LlmOpsException.Invalid($"Invalid experiment ID: '{Shown(id)}'. It has at most 64 characters and no slash.");
        if (id == "0")
            return DefaultExperimentId;
        return Guid.TryParseExact(id, "N", out var guid) ? guid : throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"No Experiment with id={Shown(id)} exists");
    }

    public static Guid Run(string? text)
    {
        var id = Required(text, "run_id");
        if (!RunPattern().IsMatch(id))
            throw LlmOpsException.Invalid($"Invalid run ID: '{Shown(id)}'");
        return Guid.TryParseExact(id, "N", out var guid) || Guid.TryParseExact(id, "D", out guid) ? guid : throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"Run with id={Shown(id)} not found");
    }

    public static Guid LoggedModel(string? text)
    {
        var id = Required(text, "model_id");
        return id.StartsWith(Tracking.LoggedModel.IdStart, StringComparison.Ordinal) && Guid.TryParseExact(id[Tracking.LoggedModel.IdStart.Length..], "N", out var guid)
            ? guid : throw new LlmOpsException(ErrorCode.ResourceDoesNotExist, $"Logged model with ID '{Shown(id)}' not found.");
    }

    public static string LoggedModelText(Guid id) => Tracking.LoggedModel.IdStart + id.ToString("N");

    public static string Required(string? value, string name) => string.IsNullOrEmpty(value)
        ? throw LlmOpsException.Invalid($"Missing value for required parameter '{name}'. See the API docs for more information about request parameters.") : value;

    /// <summary>What a client sent, short enough for a message.</summary>
    public static string Shown(string text) => text.Length <= 120 ? text : string.Create(CultureInfo.InvariantCulture, $"{text[..120]}… ({text.Length} characters)");

    [GeneratedRegex(@"^[a-zA-Z0-9][\w\-]{0,255}\z")]
    private static partial Regex RunPattern();
}
