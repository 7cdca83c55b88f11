namespace LlmOps.Lifecycle;

/// <summary>Why a request could not be done. Names follow MLflow's error codes, so that every wire API speaks the same language.</summary>
public enum ErrorCode
{
    BadRequest,
    InvalidParameterValue,
    ResourceAlreadyExists,
    ResourceConflict,
    ResourceDoesNotExist,
    PermissionDenied,
    Unauthenticated,
    RequestLimitExceeded,
    ResourceExhausted,
    TemporarilyUnavailable,
    InternalError,
    /// <summary>The address is none of this server. Clients of the MLflow API try another one only after this.</summary>
    EndpointNotFound,
    /// <summary>The address is known and does nothing here.</summary>
    NotImplemented,
}

public static class ErrorCodes
{
    /// <summary>One table for every edge. RESOURCE_ALREADY_EXISTS is 400 because MLflow's clients expect that.</summary>
    public static int HttpStatus(this ErrorCode code) => code switch
    {
        ErrorCode.BadRequest or ErrorCode.InvalidParameterValue or ErrorCode.ResourceAlreadyExists => 400,
        ErrorCode.Unauthenticated => 401,
        ErrorCode.PermissionDenied => 403,
        ErrorCode.ResourceDoesNotExist or ErrorCode.EndpointNotFound => 404,
        ErrorCode.ResourceConflict => 409,
        ErrorCode.RequestLimitExceeded => 413,
        ErrorCode.ResourceExhausted => 507,
        ErrorCode.NotImplemented => 501,
        ErrorCode.TemporarilyUnavailable => 503,
        _ => 500,
    };

    /// <summary>InvalidParameterValue → INVALID_PARAMETER_VALUE.</summary>
    public static string WireName(this ErrorCode code) =>
        string.Concat(code.ToString().Select((c, i) => i > 0 && char.IsUpper(c) ? "_" + c : char.ToUpperInvariant(c).ToString()));
}

/// <summary>The request cannot be done. The message says what is wrong and what to do, and holds nothing secret.</summary>
public sealed class LlmOpsException(ErrorCode code, string message, Exception? inner = null) : Exception(message, inner)
{
    public ErrorCode Code { get; } = code;

    public static LlmOpsException Invalid(string message) => new(ErrorCode.InvalidParameterValue, message);

    public static LlmOpsException NotFound(string what, object key) =>
        new(ErrorCode.ResourceDoesNotExist, $"{what} '{key}' does not exist. Check the name, or list what is there.");
}
