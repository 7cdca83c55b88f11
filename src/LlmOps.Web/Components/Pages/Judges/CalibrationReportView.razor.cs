using LlmOps.Lifecycle.Evaluation.Judges;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Judges;

public sealed partial class CalibrationReportView
{
    [Parameter, EditorRequired] public CalibrationView Calibration { get; set; } = null!;

    private CalibrationReport Report => Calibration.Report;
}
