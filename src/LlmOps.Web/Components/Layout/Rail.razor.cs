namespace LlmOps.Web.Components.Layout;

/// <summary>The left rail: 220 px, icons only under 1100 px, a drawer under 700 px.</summary>
public sealed partial class Rail;
