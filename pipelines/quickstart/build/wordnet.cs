#:property PublishAot=false
// Makes the quickstart's data from WordNet 3.0's database files. Deterministic: the same input gives the same bytes.
// Run: dotnet run pipelines/quickstart/build/wordnet.cs -- /usr/share/wordnet pipelines/quickstart
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;

if (args.Length != 2 || !File.Exists(Path.Combine(args[0], "data.noun")))
{
    Console.Error.WriteLine("usage: wordnet.cs WORDNET_FOLDER TARGET_FOLDER (Debian's package wordnet-base has the files in /usr/share/wordnet)");
    return 2;
}
var (source, target) = (args[0], args[1]);
(string File, string Name)[] parts = [("noun", "noun"), ("verb", "verb"), ("adj", "adjective"), ("adv", "adverb")];
// Not in data that everybody is shown: a lemma with such a note on any of its senses, and a definition on such a subject.
string[] refusedNotes = ["offensive", "disparag", "slur", "vulgar", "obscen", "derogat", "insult", "expletive", "subnormal", "term of abuse", "prostitut", "whore", "genital", "intercourse", "terms for a woman's breasts"];
string[] refusedSubjects = ["sexual", "slang", "rape", "nazi", "negro", "excrement", "urin", "penis", "vagina", "slave", "suicid", "kill", "murder", "nymphomania", "secreting glandular"];

// How often each lemma was tagged, by part of speech (cntlist.rev: sense key, sense number, count).
var counts = new Dictionary<(string Lemma, string Part), int>();
foreach (var line in File.ReadLines(Path.Combine(source, "cntlist.rev")))
{
    var fields = line.Split(' ');
    var key = fields[0].Split('%');
    var part = key[1][0] switch { '1' => "noun", '2' => "verb", '3' or '5' => "adjective", _ => "adverb" };
    var id = (key[0].ToLowerInvariant(), part);
    counts[id] = counts.GetValueOrDefault(id) + int.Parse(fields[2], CultureInfo.InvariantCulture);
}

var entries = new List<Entry>();
var partsOf = new Dictionary<string, HashSet<string>>();
var offending = new HashSet<string>();
foreach (var (file, name) in parts)
{
    var glosses = new Dictionary<string, string>();
    foreach (var line in File.ReadLines(Path.Combine(source, "data." + file)).Where(l => l.Length > 0 && l[0] != ' '))
        glosses[line[..8]] = line[(line.IndexOf('|', StringComparison.Ordinal) + 1)..].Trim();
    foreach (var line in File.ReadLines(Path.Combine(source, "index." + file)).Where(l => l.Length > 0 && l[0] != ' '))
    {
        var fields = line.Trim().Split(' ');
        var lemma = fields[0];
        if (!partsOf.TryGetValue(lemma, out var has))
            partsOf[lemma] = has = [];
        has.Add(name);
        var pointers = int.Parse(fields[3], CultureInfo.InvariantCulture);
        var senses = fields[(6 + pointers)..];          // most frequent sense first
        if (senses.Any(s => refusedNotes.Any(r => glosses[s].Contains(r, StringComparison.OrdinalIgnoreCase))))
            offending.Add(lemma);
        if (!Regex.IsMatch(lemma, "^[a-z]{3,12}$"))
            continue;
        var (definition, examples) = Split(glosses[senses[0]]);
        if (definition.Length is < 12 or > 110 || refusedSubjects.Any(r => glosses[senses[0]].Contains(r, StringComparison.OrdinalIgnoreCase) || lemma.Contains(r, StringComparison.Ordinal)))
            continue;
        entries.Add(new(lemma, name, definition, examples, counts.GetValueOrDefault((lemma, name))));
    }
}
// One part of speech for each headword: the one it is used as most.
var words = entries.Where(e => !offending.Contains(e.Lemma)).GroupBy(e => e.Lemma).Select(g => g.OrderByDescending(e => e.Count).ThenBy(e => e.Part, StringComparer.Ordinal).First())
    .OrderByDescending(e => e.Count).ThenBy(e => Hash(e.Lemma), StringComparer.Ordinal).ToList();

var corpus = words.Take(12_900).Select(e => new { text = Text(e), headword = e.Lemma }).OrderBy(r => Hash("c" + r.headword), StringComparer.Ordinal).ToList();
var define = words.Take(4_000).Select(e => new { prompt = Question(e), completion = House(e, e.Definition), headword = e.Lemma });
var ask = words.Where(e => partsOf[e.Lemma].Count == 1).OrderBy(e => Hash("q" + e.Lemma), StringComparer.Ordinal).GroupBy(e => e.Part)
    .SelectMany(g => g.Take(g.Key == "adverb" ? 350 : 450)).Select(e => new { prompt = $"What part of speech is *{e.Lemma}*?", completion = e.Part, headword = e.Lemma });
var instructions = define.Concat(ask).OrderBy(r => Hash("i" + r.prompt), StringComparer.Ordinal).ToList();
var pool = words.Take(8_000).ToList();
var preferences = words.Take(7_500).OrderBy(e => Hash("p" + e.Lemma), StringComparer.Ordinal).Take(2_550).Select((e, i) =>
{
    var kind = (i % 3) switch { 0 => "wrong", 1 => "rambling", _ => "off-style" };
    var rejected = kind switch { "wrong" => House(e, Other(e)), "rambling" => Rambling(e), _ => OffStyle(e) };
    return new { prompt = Question(e), chosen = House(e, e.Definition), rejected, headword = e.Lemma, rejected_kind = kind };
}).ToList();

Write(Path.Combine(target, "data"), corpus, instructions, preferences);
Write(Path.Combine(target, "tiny"), corpus.Take(260).ToList(), instructions.Take(160).ToList(), preferences.Take(90).ToList());
return 0;

void Write<A, B, C>(string folder, List<A> texts, List<B> pairs, List<C> preferred)
{
    Directory.CreateDirectory(folder);
    Save(Path.Combine(folder, "corpus.jsonl"), texts);
    Save(Path.Combine(folder, "instructions.jsonl"), pairs);
    Save(Path.Combine(folder, "preferences.jsonl"), preferred);
}

static void Save<T>(string path, List<T> rows)
{
    var options = new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    File.WriteAllText(path, string.Concat(rows.Select(r => JsonSerializer.Serialize(r, options) + "\n")), new UTF8Encoding(false));
    Console.WriteLine($"{path}: {rows.Count:N0} rows, {new FileInfo(path).Length:N0} bytes");
}

// A gloss is a definition, then example sentences in quotes, separated by semicolons; a leading note in parentheses limits its use.
static (string Definition, string[] Examples) Split(string gloss)
{
    var quote = gloss.IndexOf('"', StringComparison.Ordinal);
    var definition = (quote < 0 ? gloss : gloss[..quote]).Trim().TrimEnd(';', ',', ' ');
    definition = Regex.Replace(definition, @"^\([^)]*\)\s*", "").TrimEnd('.');
    var examples = Regex.Matches(gloss, "\"([^\"]{8,90})\"").Select(m => m.Groups[1].Value).Take(2).ToArray();
    return (definition, examples);
}

static string Text(Entry e)
{
    var examples = string.Concat(e.Examples.Select(x => " " + char.ToUpperInvariant(x[0]) + x[1..] + (x[^1] is '.' or '?' or '!' ? "" : ".")));
    return (int)(Convert.FromHexString(Hash("t" + e.Lemma)[..2])[0] % 3) switch
    {
        0 => $"{e.Lemma}: {e.Definition}.{examples}",
        1 => $"The {e.Part} {e.Lemma} means {e.Definition}.{examples}",
        _ => $"{e.Lemma} ({e.Part}). {char.ToUpperInvariant(e.Definition[0]) + e.Definition[1..]}.{examples}",
    };
}

static string Question(Entry e) => $"Define *{e.Lemma}*.";

static string House(Entry e, string definition) => $"*{e.Lemma}* ({e.Part}): {definition}.";

// A definition of another word of the same part of speech, as long as the right one as far as can be had.
string Other(Entry e)
{
    var start = Convert.ToInt32(Hash("o" + e.Lemma)[..6], 16) % pool.Count;
    return Enumerable.Range(0, pool.Count).Select(i => pool[(start + i) % pool.Count])
        .First(o => o.Part == e.Part && o.Lemma != e.Lemma && o.Definition != e.Definition && Math.Abs(o.Definition.Length - e.Definition.Length) <= 6).Definition;
}

// About as long as the right answer, but the end of the definition has given way to filler.
static string Rambling(Entry e)
{
    string[] filler = ["and so on and so forth", "or something like that, you know", "as one might say, more or less", "and things of that kind in general", "which is to say, well, basically that"];
    var tail = filler[Convert.ToInt32(Hash("r" + e.Lemma)[..4], 16) % filler.Length];
    var keep = e.Definition.Split(' ');
    var head = string.Join(' ', keep.Take(Math.Max(2, keep.Length - tail.Split(' ').Length)));
    var open = head.LastIndexOf('(');
    if (open >= 0 && head.IndexOf(')', open) < 0)
        head = open < 8 ? head.Remove(open, 1) : head[..open];
    return $"*{e.Lemma}* ({e.Part}): {head.TrimEnd(' ', ',', ';', ':', '-')}, {tail}.";
}

// The right meaning in the wrong form.
static string OffStyle(Entry e) => (Convert.ToInt32(Hash("s" + e.Lemma)[..4], 16) % 4) switch
{
    0 => $"{e.Lemma}: {e.Definition}.",
    1 => $"I think {e.Lemma} means {e.Definition}!",
    2 => $"The {e.Part} {e.Lemma} means {e.Definition}.",
    _ => $"Well, it is {e.Definition}",
};

static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

internal sealed record Entry(string Lemma, string Part, string Definition, string[] Examples, int Count);
