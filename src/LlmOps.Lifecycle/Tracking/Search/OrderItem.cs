namespace LlmOps.Lifecycle.Tracking.Search;

/// <summary>One item of order_by: "metrics.acc DESC".</summary>
public sealed record OrderItem(string? Entity, string Key, bool Descending)
{
    private const int MostItems = 20;

    public static IReadOnlyList<OrderItem> Parse(IReadOnlyList<string>? items)
    {
        if (items is null)
            return [];
        if (items.Count > MostItems)
            throw LlmOpsException.Invalid($"order_by has {items.Count} items; {MostItems} are allowed.");
        return [.. items.Where(i => !string.IsNullOrWhiteSpace(i)).Select(ParseOne)];
    }

    private static OrderItem ParseOne(string text)
    {
        var tokens = FilterTokens.Read(text);
        var at = 0;
        string? entity = null;
        string key;
        var first = tokens[at++];
        if (first.Kind == FilterTokenKind.Quoted && first.Quote != '\'')
            key = first.Text;
        else if (first.Kind is FilterTokenKind.Word or FilterTokenKind.Number)
        {
            var dot = first.Text.IndexOf('.', StringComparison.Ordinal);
            (entity, key) = dot < 0 ? (null, first.Text) : (first.Text[..dot], first.Text[(dot + 1)..]);
            if (dot >= 0 && key.Length == 0 && tokens[at].Kind == FilterTokenKind.Quoted)
                key = tokens[at++].Text;
        }
        else
            throw Wrong(text);
        var descending = tokens[at].Is("DESC");
        if (descending || tokens[at].Is("ASC"))
            at++;
        return key.Length > 0 && tokens[at].Kind == FilterTokenKind.End && TrackingLimits.IsStorable(key) ? new(entity, key, descending) : throw Wrong(text);
    }

    private static LlmOpsException Wrong(string text) => LlmOpsException.Invalid($"Invalid order_by clause '{TrackingKeys.Shown(text)}'. Write it as a key with ASC or DESC, for example metrics.accuracy DESC.");
}
