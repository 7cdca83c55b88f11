using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Shared;

/// <summary>A size people can compare; the exact bytes on hover.</summary>
public sealed partial class ByteSize
{
    [Parameter, EditorRequired] public long Bytes { get; set; }
}
