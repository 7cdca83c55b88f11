using Microsoft.AspNetCore.Identity;

namespace LlmOps.Lifecycle.Identity;

/// <summary>Somebody who can sign in. Roles are Identity's roles, named in <see cref="Roles"/>.</summary>
public sealed class Person : IdentityUser<Guid>
{
    public string DisplayName { get; set; } = "";
    public DateTimeOffset CreatedAt { get; set; }
    public bool Disabled { get; set; }
}

/// <summary>A token for programs. Only its SHA-256 is kept; the secret is shown once, when it is made.</summary>
public sealed class ApiToken
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required string Name { get; init; }
    /// <summary>First characters of the token, to recognise it in lists and logs.</summary>
    public required string Prefix { get; init; }
    public required string Hash { get; init; }
    public required Guid PersonId { get; init; }
    /// <summary>Comma-separated permissions; what a request may do is these, and never more than the person may.</summary>
    public required string Scopes { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? ExpiresAt { get; init; }
    public DateTimeOffset? RevokedAt { get; set; }
    public DateTimeOffset? LastUsedAt { get; set; }

    // The three of TokenLimits.
    public int? RequestsPerMinute { get; set; }
    public int? TokensPerMinute { get; set; }
    public int? Concurrent { get; set; }

    /// <summary>Then its owner cannot change them.</summary>
    public bool LimitedByAdministrator { get; set; }

    public TokenLimits ReadLimits() => new(RequestsPerMinute, TokensPerMinute, Concurrent);

    public void SetLimits(TokenLimits limits) => (RequestsPerMinute, TokensPerMinute, Concurrent) = (limits.RequestsPerMinute, limits.TokensPerMinute, limits.Concurrent);
}

/// <summary>The one-time link that lets the first administrator choose a password.</summary>
public sealed class SetupLink
{
    public Guid Id { get; init; } = Guid.CreateVersion7();
    public required Guid PersonId { get; init; }
    public required string Hash { get; init; }
    public DateTimeOffset ExpiresAt { get; init; }
    public DateTimeOffset? UsedAt { get; set; }
}

/// <summary>Who did what to which row, with the values before and after. Written in the transaction of the change itself.</summary>
public sealed class AuditEntry
{
    public long Id { get; init; }
    public DateTimeOffset At { get; init; }
    public Guid ActorId { get; init; }
    public required string ActorName { get; init; }
    public required string Action { get; init; }
    public required string Subject { get; init; }
    public required string SubjectId { get; init; }
    public string? Before { get; init; }
    public string? After { get; init; }
    /// <summary>Place in the chain, from 1 without gaps; null until the entry is chained.</summary>
    public long? Sequence { get; set; }
    public string? PreviousHash { get; set; }
    public string? Hash { get; set; }
}

/// <summary>The end of the audit chain; one row. Whoever adds entries holds its lock, so that two entries never follow the same one.</summary>
public sealed class AuditHead
{
    public int Id { get; init; } = 1;
    public long Sequence { get; set; }
    public required string Hash { get; set; }
}
