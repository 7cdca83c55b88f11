namespace LlmOps.Engines.Onnx;

/// <summary>What an export wrote.</summary>
/// <param name="Nodes">Nodes of the graph.</param>
/// <param name="Parameters">Weights taken from the checkpoint (a tied head counts once).</param>
/// <param name="SourceBytes">Size of the checkpoint's tensors.</param>
/// <param name="TargetBytes">Size of <c>model.onnx</c> and <c>model.onnx.data</c>.</param>
/// <param name="Seconds">Wall-clock time.</param>
public sealed record ExportReport(int Nodes, long Parameters, long SourceBytes, long TargetBytes, double Seconds);
