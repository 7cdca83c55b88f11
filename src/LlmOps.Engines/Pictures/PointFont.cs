namespace LlmOps.Engines.Pictures;

/// <summary>Letters of 3 × 5 points for the legends of small pictures. Each is five figures, one for a row: 4, 2 and 1 are its points from left to right.</summary>
internal static class PointFont
{
    private static readonly Dictionary<char, string> Letters = new()
    {
        ['0'] = "75557", ['1'] = "26227", ['2'] = "71747", ['3'] = "71717", ['4'] = "55711", ['5'] = "74717", ['6'] = "74757", ['7'] = "71111", ['8'] = "75757", ['9'] = "75717",
        ['A'] = "25755", ['B'] = "65656", ['C'] = "34443", ['D'] = "65556", ['E'] = "74647", ['F'] = "74644", ['G'] = "34553", ['H'] = "55755", ['I'] = "72227", ['J'] = "11152",
        ['K'] = "55655", ['L'] = "44447", ['M'] = "57755", ['N'] = "65555", ['O'] = "25552", ['P'] = "65644", ['Q'] = "25563", ['R'] = "65655", ['S'] = "34216", ['T'] = "72222",
        ['U'] = "55557", ['V'] = "55552", ['W'] = "55775", ['X'] = "55255", ['Y'] = "55222", ['Z'] = "71247",
        ['.'] = "00002", [','] = "00024", [':'] = "02020", ['-'] = "00700", ['+'] = "02720", ['='] = "07070", ['/'] = "11244", ['%'] = "51245", ['('] = "12221", [')'] = "42224", ['>'] = "42124",
    };

    public static bool IsSet(char letter, int x, int y) => Letters.TryGetValue(char.ToUpperInvariant(letter), out var rows) && ((rows[y] - '0') >> (2 - x) & 1) == 1;
}
