using System.Globalization;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Datasets;

public sealed partial class DatasetStatisticsTab
{
    [Parameter, EditorRequired] public DatasetVersionDetail Version { get; set; } = null!;

    private string Share(int rows) => Display.Percent((double)rows / Math.Max(1, Version.TrainRows + Version.HeldOutRows + Version.QuarantinedRows), 1);

    private static string Width(int count, int most) => string.Create(CultureInfo.InvariantCulture, $"{100.0 * count / Math.Max(1, most):0.#}%");
}
