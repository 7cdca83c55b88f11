namespace LlmOps.Web.Api.Otlp;

/// <summary>The body is not what its content type says. Sending it again would not help.</summary>
public sealed class MalformedOtlpException(string message) : Exception(message);
