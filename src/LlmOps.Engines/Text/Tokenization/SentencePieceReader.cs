namespace LlmOps.Engines.Text.Tokenization;

/// <summary>Makes a tokenizer of SentencePiece's <c>tokenizer.model</c>, that computes what SentencePiece does.</summary>
internal static class SentencePieceReader
{
    private static readonly string[] FileNames = ["tokenizer.model", "spiece.model"];

    // In Python these classes give the pieces other ids than the file does.
    private static readonly string[] Renumbering = ["XLMRoberta", "Camembert", "MBart", "NllbTokenizer", "Pegasus", "BigBirdPegasus", "XGLM", "Barthez", "PLBart", "MarianTokenizer", "M2M100", "Speech2Text"];

    /// <summary>Path of the model file, or null.</summary>
    public static string? FindFile(string folder) => FileNames.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    public static Pipeline Read(string folder, string path)
    {
        var names = SpecialNames.Read(folder);
        if (names.TokenizerClass is { } type && Array.Exists(Renumbering, type.StartsWith))
            throw new UnsupportedModelException($"tokenizer_config.json: {type} gives the pieces of {Path.GetFileName(path)} other ids than the file; supported: such a tokenizer saved as tokenizer.json.");
        try
        {
            return Pipeline(SentencePieceFile.Parse(File.ReadAllBytes(path)), names);
        }
        catch (InvalidModelException e)
        {
            throw new InvalidModelException($"{Path.GetFileName(path)}: {e.Message}", e);
        }
        catch (UnsupportedModelException e)
        {
            throw new UnsupportedModelException($"{Path.GetFileName(path)}: {e.Message}", e);
        }
    }

    private static Pipeline Pipeline(SentencePieceFile file, SpecialNames names)
    {
        var vocabulary = Vocabulary(file);
        var unknown = file.Pieces.FindIndex(p => p.Kind == SentencePieceKind.Unknown);
        if (unknown < 0)
            throw new InvalidModelException("it has no unknown piece.");
        var listed = vocabulary.Where(v => file.Pieces[v.Value].Kind == SentencePieceKind.Control).Select(v => new AddedToken(v.Value, v.Key, Special: true)).ToList();
        var ids = vocabulary.ToDictionary(StringComparer.Ordinal);
        listed.AddRange(names.Added.Where(a => !ids.ContainsKey(a.Content)));
        var (tokens, added) = TokenizerReader.Table(vocabulary, listed, names);
        var userDefined = vocabulary.Where(v => file.Pieces[v.Value].Kind == SentencePieceKind.UserDefined).Select(v => new AddedToken(v.Value, v.Key, Special: false)).ToList();
        var (bos, eos) = (Role(names.Bos, file.BosId), Role(names.Eos, file.EosId));
        var raw = new AddedTokens(added.Where(a => a.Special || a.Id >= file.Pieces.Count).Select(a => (a.Content, a)));
        return new Pipeline
        {
            Tokens = tokens,
            Raw = raw,
            RawAndControl = raw,
            Normalizer = new SentencePieceNormalizer(file.CharsMap.Length > 0 ? new CharsMap(file.CharsMap) : null, userDefined.Select(u => file.Pieces[u.Id].Text),
                file.AddPrefix, file.RemoveExtraSpaces, file.EscapeSpaces, file.WhitespaceAsSuffix),
            // The unigram model finds user-defined pieces itself.
            Normalized = new AddedTokens(file.ModelType == SentencePieceFile.Bpe ? userDefined.Select(u => (u.Content, u)) : []),
            Model = file.ModelType switch
            {
                SentencePieceFile.Unigram => Unigram(file, unknown),
                SentencePieceFile.Bpe => Bpe(file, ids, unknown),
                _ => throw new UnsupportedModelException($"model type {file.ModelType} is not supported; supported: 1 (unigram), 2 (BPE)."),
            },
            Template = ((names.AddBos ?? file.ModelType == SentencePieceFile.Bpe) && bos is { } b ? [b] : [], (names.AddEos ?? file.ModelType == SentencePieceFile.Unigram) && eos is { } e ? [e] : []),
            Decoder = new SentencePieceDecoder(file.AddPrefix || file.RemoveExtraSpaces, file.RemoveExtraSpaces, file.Pieces[unknown].Text, file.UnknownText),
            BosId = bos,
            EosId = eos,
            PadId = Role(names.Pad, file.PadId),
        };

        int? Role(string? name, int id) => name is not null ? tokens.Ids.TryGetValue(name, out var named) ? named : null
            : id >= 0 && id < file.Pieces.Count && file.Pieces[id].Kind == SentencePieceKind.Control ? id : null;
    }

    private static List<KeyValuePair<string, int>> Vocabulary(SentencePieceFile file)
    {
        var known = new HashSet<string>(StringComparer.Ordinal);
        var vocabulary = new List<KeyValuePair<string, int>>(file.Pieces.Count);
        foreach (var (id, piece) in file.Pieces.Index())
        {
            if (piece.Text.Length == 0 || !known.Add(piece.Text))
                throw new InvalidModelException(piece.Text.Length == 0 ? $"Piece {id} is empty." : $"Piece '{piece.Text}' is there twice.");
            if (!Enum.IsDefined(piece.Kind) || !float.IsFinite(piece.Score))
                throw new InvalidModelException($"Piece {id} '{piece.Text}' has kind {(int)piece.Kind} and score {piece.Score}.");
            vocabulary.Add(KeyValuePair.Create(piece.Text, id));
        }
        for (var b = 0; file.ByteFallback && b < 256; b++)
        {
            if (!known.Contains($"<0x{b:X2}>"))
                throw new InvalidModelException($"It has no piece for byte {b}, although byte_fallback is set.");
        }
        return vocabulary;
    }

    private static UnigramModel Unigram(SentencePieceFile file, int unknown) => new([.. file.Pieces.Select(p => new UnigramPiece(p.Text, p.Score, p.Kind == SentencePieceKind.UserDefined,
        p.Kind is not (SentencePieceKind.Normal or SentencePieceKind.UserDefined)))], unknown, file.ByteFallback, single: true);

    // A pair merges when what it makes is a piece; the piece's score is the rank.
    private static BpeModel Bpe(SentencePieceFile file, Dictionary<string, int> ids, int unknown)
    {
        if (file.Pieces.FindIndex(p => p.Kind == SentencePieceKind.Unused) is var unused and >= 0)
            throw new UnsupportedModelException($"piece {unused} is marked as unused; supported in unigram models only.");
        var lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        var pairs = new List<(int, int, int, int)>();
        var scores = file.Pieces.Where(p => p.Kind == SentencePieceKind.Normal).Select(p => p.Score).Distinct().OrderDescending().Index().ToDictionary(s => s.Item, s => s.Index);
        foreach (var (id, piece) in file.Pieces.Index().Where(p => p.Item.Kind == SentencePieceKind.Normal))
        {
            for (var cut = 1; cut < piece.Text.Length; cut++)
            {
                if (lookup.TryGetValue(piece.Text.AsSpan(0, cut), out var left) && lookup.TryGetValue(piece.Text.AsSpan(cut), out var right) && IsPart(left) && IsPart(right))
                    pairs.Add((left, right, id, scores[piece.Score]));
            }
        }
        return new BpeModel(ids.Where(i => IsPart(i.Value) || file.Pieces[i.Value].Kind == SentencePieceKind.Byte).ToDictionary(StringComparer.Ordinal), pairs,
            new BpeOptions { ByteFallback = file.ByteFallback, Unknown = unknown, FuseUnknown = true });

        bool IsPart(int id) => file.Pieces[id].Kind == SentencePieceKind.Normal;
    }
}
