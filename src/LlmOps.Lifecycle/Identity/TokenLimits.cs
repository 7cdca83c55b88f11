using Microsoft.Extensions.Configuration;

namespace LlmOps.Lifecycle.Identity;

/// <summary>How much a token may ask of the models. Null takes the server's setting, 0 is no limit.</summary>
/// <param name="RequestsPerMinute">Requests in a minute.</param>
/// <param name="TokensPerMinute">Computed prompt tokens and answer tokens in a minute.</param>
/// <param name="Concurrent">Requests at once.</param>
public sealed record TokenLimits(int? RequestsPerMinute = null, int? TokensPerMinute = null, int? Concurrent = null)
{
    public static TokenLimits None { get; } = new();

    /// <summary>The server's settings; each has a number.</summary>
    public static TokenLimits OfServer(IConfiguration configuration)
    {
        int Read(string name) => configuration.GetValue($"Serving:Limits:{name}", 0) is var value && value >= 0 ? value
            : throw new InvalidOperationException($"Serving:Limits:{name} is {value}; set Serving__Limits__{name} to 0, which is no limit, or more.");
        return new(Read("RequestsPerMinute"), Read("TokensPerMinute"), Read("Concurrent"));
    }

    /// <summary>What holds: each limit of its own, else the server's.</summary>
    public TokenLimits Or(TokenLimits server) => new(RequestsPerMinute ?? server.RequestsPerMinute, TokensPerMinute ?? server.TokensPerMinute, Concurrent ?? server.Concurrent);

    /// <summary>Refuses what is no limit, and a looser one than the server's where somebody else than an administrator asks for it.</summary>
    public void Ensure(TokenLimits server, Actor actor)
    {
        foreach (var (name, wanted, most) in new[] { ("requests_per_minute", RequestsPerMinute, server.RequestsPerMinute), ("tokens_per_minute", TokensPerMinute, server.TokensPerMinute), ("concurrent", Concurrent, server.Concurrent) })
        {
            if (wanted < 0)
                throw LlmOpsException.Invalid($"'{name}' is 0, which is no limit, or more.");
            if (most > 0 && wanted is { } limit && (limit == 0 || limit > most) && !actor.May(Permission.Administer))
                throw new LlmOpsException(ErrorCode.PermissionDenied, $"'{name}' is {most} for every token of this server; only an administrator can give a token more.");
        }
    }
}
