using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace LlmOps.Lifecycle.Data;

/// <summary>Times are stored as Unix milliseconds: they order and compare alike on both databases, and it is the wire format.</summary>
public sealed class UnixMilliseconds() : ValueConverter<DateTimeOffset, long>(
    time => time.ToUnixTimeMilliseconds(),
    stored => DateTimeOffset.FromUnixTimeMilliseconds(stored));
