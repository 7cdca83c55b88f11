namespace LlmOps.Web.Components.Shared;

/// <summary>The one look of each state, in chips and in diagrams: a word, a line icon on a 16 × 16 grid, a colour token.</summary>
public sealed record StateLook(string Word, string Icon, string Colour, bool IsLive = false, bool IsDashed = false)
{
    private static readonly Dictionary<string, StateLook> Known = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Pending"] = new("Pending", "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11", "grey", IsDashed: true),
        ["Queued"] = new("Queued", "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M8 5v3.2l2 1.3", "grey"),
        ["Running"] = new("Running", "M8 2.5a5.5 5.5 0 1 1-5.5 5.5M6.5 5.5l4 2.5l-4 2.5z", "blue", IsLive: true),
        ["WaitingForApproval"] = new("Waiting for approval", "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M6.5 6v4M9.5 6v4", "violet"),
        ["Succeeded"] = new("Succeeded", "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M5.5 8.2l1.8 1.8l3.2-3.6", "green"),
        ["Failed"] = new("Failed", "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M6 6l4 4M10 6l-4 4", "red"),
        ["Cancelled"] = new("Cancelled", "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M4.2 4.2l7.6 7.6", "grey", IsDashed: true),
        ["CannotTell"] = new("Cannot tell", "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M6.4 6.4a1.7 1.7 0 1 1 2.3 1.6c-.5.2-.7.5-.7 1M8 11v.1", "amber"),
        ["StuckAtLn2"] = new("Stuck at ln 2", "M8 2.5a5.5 5.5 0 1 0 0 11a5.5 5.5 0 1 0 0-11M6 6l4 4M10 6l-4 4", "red"),
        ["Skipped"] = new("Skipped", "M4 4.5l3.5 3.5L4 11.5M8.5 4.5L12 8l-3.5 3.5", "grey", IsDashed: true),
    };

    /// <summary>States of other areas (a worker's, a deployment's) borrow the look of the nearest one and keep their own word.</summary>
    private static readonly Dictionary<string, string> Borrowed = new(StringComparer.OrdinalIgnoreCase)
    {
        ["Approved"] = "Succeeded", ["Accepted"] = "Succeeded", ["Passed"] = "Succeeded", ["Ready"] = "Succeeded", ["Active"] = "Succeeded", ["Serving"] = "Succeeded", ["Finished"] = "Succeeded", ["Completed"] = "Succeeded", ["Alive"] = "Succeeded", ["Published"] = "Succeeded", ["Fits"] = "Succeeded", ["OnFront"] = "Succeeded", ["Clean"] = "Succeeded", ["Met"] = "Succeeded", ["Resolved"] = "Succeeded", ["Sent"] = "Succeeded", ["Converged"] = "Succeeded", ["AsBefore"] = "Succeeded",
        ["Rejected"] = "Failed", ["Refused"] = "Failed", ["Lost"] = "Failed", ["Dead"] = "Failed", ["DoesNotFit"] = "Failed", ["Missed"] = "Failed", ["Contaminated"] = "Failed", ["Overfitting"] = "Failed", ["Diverged"] = "Failed", ["NotANumber"] = "Failed", ["ExplodingGradients"] = "Failed", ["NothingLabelled"] = "Failed", ["OutOfMemory"] = "Failed", ["Exact"] = "Failed", ["Drifted"] = "Failed", ["Near"] = "CannotTell", ["Contained"] = "CannotTell",
        ["Requested"] = "WaitingForApproval", ["Open"] = "WaitingForApproval", ["Waiting"] = "WaitingForApproval",
        ["Starting"] = "Running", ["Acknowledged"] = "Running", ["Started"] = "Running", ["Draining"] = "Running", ["Cancelling"] = "Running", ["Building"] = "Running", ["Pausing"] = "Running", ["Ending"] = "Running",
        ["Stale"] = "CannotTell", ["Degraded"] = "CannotTell", ["Warning"] = "CannotTell", ["Unknown"] = "CannotTell", ["Undecided"] = "CannotTell", ["StillImproving"] = "CannotTell", ["Plateau"] = "CannotTell",
        ["Scheduled"] = "Queued", ["Paused"] = "Cancelled", ["Stopped"] = "Cancelled", ["Retired"] = "Cancelled", ["Revoked"] = "Cancelled", ["Superseded"] = "Cancelled", ["Archived"] = "Cancelled", ["Dominated"] = "Cancelled",
    };

    public static StateLook Of(string? state) =>
        state is null ? Known["CannotTell"]
        : Known.TryGetValue(state, out var known) ? known
        : Borrowed.TryGetValue(state, out var like) ? Known[like] with { Word = Sentence(state) }
        : Known["Pending"] with { Word = Sentence(state), IsDashed = false };

    /// <summary><c>WaitingForData</c> becomes <c>Waiting for data</c>.</summary>
    private static string Sentence(string state) =>
        string.Concat(state.Select((c, i) => i > 0 && char.IsUpper(c) ? " " + char.ToLowerInvariant(c) : c.ToString()));
}
