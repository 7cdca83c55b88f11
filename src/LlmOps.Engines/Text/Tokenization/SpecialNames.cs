using System.Text.Json;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>What <c>tokenizer_config.json</c>, <c>special_tokens_map.json</c> and <c>added_tokens.json</c> say about control tokens; all of the files may be missing.</summary>
internal sealed class SpecialNames
{
    private static readonly string[] Roles = ["bos_token", "eos_token", "pad_token", "unk_token", "cls_token", "sep_token", "mask_token"];

    private readonly Dictionary<string, string?> byRole = new(StringComparer.Ordinal);
    private readonly HashSet<string> additional = new(StringComparer.Ordinal);

    public string? Bos => byRole.GetValueOrDefault("bos_token");
    public string? Eos => byRole.GetValueOrDefault("eos_token");
    public string? Pad => byRole.GetValueOrDefault("pad_token");

    /// <summary>Name of the class in Python, or null.</summary>
    public string? TokenizerClass { get; private set; }

    /// <summary>Whether <c>add_bos_token</c> is set, or null.</summary>
    public bool? AddBos { get; private set; }

    /// <summary>Whether <c>add_eos_token</c> is set, or null.</summary>
    public bool? AddEos { get; private set; }

    /// <summary>Tokens with ids that these files state; a <c>tokenizer.json</c> states its own.</summary>
    public List<AddedToken> Added { get; } = [];

    /// <summary>Names of control tokens. A single character is text too and stays so.</summary>
    public IEnumerable<string> All => byRole.Values.OfType<string>().Concat(additional).Where(name => name.Length > 1);

    public static SpecialNames Read(string folder)
    {
        var names = new SpecialNames();
        ReadFile(folder, "tokenizer_config.json", names.ReadConfig);
        ReadFile(folder, "special_tokens_map.json", names.ReadRoles);
        ReadFile(folder, "added_tokens.json", names.ReadAdded);
        return names;
    }

    /// <summary>Id of a role's token; where no file states the role, that of this product's own token.</summary>
    public int? IdOf(string? name, string own, TokenTable tokens) =>
        name is not null ? tokens.Ids.TryGetValue(name, out var id) ? id : null
        : byRole.Count == 0 && tokens.Ids.TryGetValue(own, out id) && tokens.Special.Contains(id) ? id : null;

    private static void ReadFile(string folder, string name, Action<ComponentJson> read)
    {
        var path = Path.Combine(folder, name);
        if (File.Exists(path))
            JsonFile.Read(path, root => { read(new ComponentJson(root, "")); return true; });
    }

    private void ReadConfig(ComponentJson root)
    {
        ReadRoles(root);
        TokenizerClass = root.Find("tokenizer_class")?.GetString();
        (AddBos, AddEos) = (root.Find("add_bos_token")?.GetBoolean(), root.Find("add_eos_token")?.GetBoolean());
        if (root.Find("added_tokens_decoder") is not { } added)
            return;
        foreach (var entry in added.EnumerateObject())
        {
            var token = new ComponentJson(entry.Value, $"added_tokens_decoder.{entry.Name}");
            if (!int.TryParse(entry.Name, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var id))
                throw new InvalidModelException($"added_tokens_decoder has the id '{entry.Name}'.");
            var (content, special) = (token.Text("content"), token.Flag("special", false));
            if (special)
                additional.Add(content);
            Added.Add(new AddedToken(id, content, special, token.Flag("single_word", false), token.Flag("lstrip", false), token.Flag("rstrip", false), token.Flag("normalized", !special)));
        }
    }

    private void ReadRoles(ComponentJson root)
    {
        foreach (var role in Roles)
        {
            if (root.Find(role) is { } value && !byRole.ContainsKey(role))
                byRole[role] = Content(value);
        }
        if (root.Find("additional_special_tokens") is { ValueKind: JsonValueKind.Array } more)
            additional.UnionWith(more.EnumerateArray().Select(Content).OfType<string>());
    }

    private void ReadAdded(ComponentJson root)
    {
        foreach (var entry in root.Json.EnumerateObject())
        {
            if (Added.All(a => a.Content != entry.Name))
                Added.Add(new AddedToken(entry.Value.GetInt32(), entry.Name, Special: additional.Contains(entry.Name)));
        }
    }

    private static string? Content(JsonElement token) => token.ValueKind == JsonValueKind.Object ? token.GetProperty("content").GetString() : token.GetString();
}
