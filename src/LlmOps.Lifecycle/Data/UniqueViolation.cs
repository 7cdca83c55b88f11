using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace LlmOps.Lifecycle.Data;

/// <summary>Uniqueness is enforced by the indexes; this is the one place that knows how each database says so.</summary>
public static class UniqueViolation
{
    public static bool IsUniqueViolation(this DbUpdateException exception) => exception.InnerException switch
    {
        PostgresException { SqlState: PostgresErrorCodes.UniqueViolation } => true,
        SqliteException { SqliteExtendedErrorCode: 2067 or 1555 } => true,
        _ => false,
    };

    /// <summary>
    /// For "max + 1" numbers: two writers may pick the same one, the index refuses the second, which tries again with a fresh context.
    /// Of n writers that begin together one wins each round, so the attempts have to be more than the writers, and a random pause parts them.
    /// </summary>
    public static async Task<T> RetryAsync<T>(Func<Task<T>> attempt, int attempts = 20)
    {
        for (var i = 1; ; i++)
        {
            try
            {
                return await attempt();
            }
            catch (DbUpdateException e) when (i < attempts && (e.IsUniqueViolation() || e is DbUpdateConcurrencyException))
            {
                await Task.Delay(Random.Shared.Next(1, 10 * Math.Min(i, 5)));
            }
        }
    }
}
