namespace LlmOps.Lifecycle.Tracking;

/// <summary>
/// Values of parameters and tags may be thousands of characters long, more than an index entry of PostgreSQL holds. The index has their beginning; a search
/// compares the beginning by the index and then the whole value.
/// </summary>
public static class IndexedText
{
    public const int Length = 100;

    public static string Head(string value)
    {
        if (value.Length <= Length)
            return value;
        // Half a character is no text for a database.
        return value[..(char.IsHighSurrogate(value[Length - 1]) ? Length - 1 : Length)];
    }
}
