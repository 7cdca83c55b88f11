using System.Text.Json.Serialization;

namespace LlmOps.Engines.Onnx;

/// <summary>Which operators an exported model is made of.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<GraphForm>))]
public enum GraphForm
{
    /// <summary>
    /// <c>com.microsoft</c>'s fused operators, the form of ONNX Runtime GenAI: the fastest. In a decoder keys and values can be appended in place; rows are padded on the right, and
    /// several tokens on top of a past are possible for batch 1 only.
    /// </summary>
    Contrib,
    /// <summary>
    /// Standard operators of opset 23 only: any runtime. In a decoder rows may be padded on either side, and batches may take several tokens on top of a past.
    /// A decoder has an input <c>position_ids [batch, sequence]</c> in addition.
    /// </summary>
    Portable,
}
