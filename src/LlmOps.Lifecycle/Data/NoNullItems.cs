using System.Collections;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace LlmOps.Lifecycle.Data;

/// <summary>A list in the JSON that was read holds null.</summary>
public sealed class NullItemException(string list) : JsonException($"'{list}' holds null, and each of its items needs a value.")
{
    /// <summary>Its name as it was sent.</summary>
    public string List => list;
}

/// <summary>
/// For options that read what others send: a list of texts or objects that holds null is refused. No type says that it may, and the serializer looks at what a list is,
/// not at what is in it.
/// </summary>
public static class NoNullItems
{
    public static JsonSerializerOptions RefuseNullItems(this JsonSerializerOptions options)
    {
        options.TypeInfoResolver = (options.TypeInfoResolver ?? new DefaultJsonTypeInfoResolver()).WithAddedModifier(Watch);
        return options;
    }

    private static void Watch(JsonTypeInfo type)
    {
        if (type.Kind != JsonTypeInfoKind.Object)
            return;
        var lists = type.Properties.Where(p => p.Get is not null && IsList(p.PropertyType)).ToArray();
        if (lists.Length == 0)
            return;
        var before = type.OnDeserialized;
        type.OnDeserialized = read =>
        {
            before?.Invoke(read);
            foreach (var list in lists)
                if (list.Get!(read) is IEnumerable items && items.Cast<object?>().Contains(null))
                    throw new NullItemException(list.Name);
        };
    }

    private static bool IsList(Type type) => type != typeof(string) && typeof(IEnumerable).IsAssignableFrom(type) && !typeof(IDictionary).IsAssignableFrom(type)
        && (type.IsArray ? type.GetElementType() : type.IsGenericType && type.GetGenericArguments() is [var item] ? item : null) is { IsValueType: false };
}
