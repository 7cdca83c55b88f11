namespace LlmOps.Lifecycle.Messaging;

/// <summary>There may be a job to claim.</summary>
public sealed record JobReady(Guid JobId, string Needs);

/// <summary>Rows changed: whoever shows them should read them again. Carries no data on purpose.</summary>
public sealed record RowsChanged(string Area, Guid Id);

/// <summary>The job's row asks for cancellation: look at it now instead of at the next heartbeat.</summary>
public sealed record CancelJob(Guid JobId);
