using System.Globalization;
using LlmOps.Engines.Optimization;
using LlmOps.Web.Components.Shared;
using LlmOps.Worker.Handlers;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Models;

/// <summary>Time by operator and the hottest nodes, before and after an optimisation.</summary>
public sealed partial class GraphProfileView
{
    [Parameter, EditorRequired] public GraphProfiles Profiles { get; set; } = null!;

    private (string Title, OpProfileReport Profile)[] Sides => [("Before", Profiles.Before), ("After", Profiles.After)];

    private string Words => $"One run reads a prompt of {Profiles.PromptTokens} random tokens on {Profiles.Threads} threads; both graphs run as stored, so nothing is fused at load. The first run is not counted. Means without an interval, and profiling itself costs some: good for finding hot places, not for comparing speed.";

    private static string Ms(double ms) => Display.Number(ms, 3);

    private static string Width(double share) => (100 * Math.Clamp(share, 0, 1)).ToString("0.#", CultureInfo.InvariantCulture);
}
