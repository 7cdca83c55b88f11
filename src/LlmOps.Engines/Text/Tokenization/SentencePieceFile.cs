using Google.Protobuf;

namespace LlmOps.Engines.Text.Tokenization;

/// <summary>A piece as <c>tokenizer.model</c> stores it.</summary>
internal readonly record struct SentencePiece(string Text, float Score, SentencePieceKind Kind);

/// <summary>Kinds of pieces; numbers as in the file.</summary>
internal enum SentencePieceKind { Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6 }

/// <summary>
/// The fields of SentencePiece's model file (Protocol Buffers, message ModelProto) that decide how a text is encoded; training settings are passed over.
/// Fields: 1 pieces (1 text, 2 score, 3 kind), 2 trainer (3 model type, 24 suffix, 35 byte fallback, 41/42/43 ids, 44 unknown text), 3 normalizer (2 map, 3 prefix, 4 extra spaces, 5 escape).
/// </summary>
internal sealed class SentencePieceFile
{
    public const int Unigram = 1, Bpe = 2;

    public List<SentencePiece> Pieces { get; } = [];
    public int ModelType { get; private set; } = Unigram;
    public bool WhitespaceAsSuffix { get; private set; }
    public bool ByteFallback { get; private set; }
    public int BosId { get; private set; } = 1;
    public int EosId { get; private set; } = 2;
    public int PadId { get; private set; } = -1;
    public string UnknownText { get; private set; } = " \u2047 ";
    public byte[] CharsMap { get; private set; } = [];
    public bool AddPrefix { get; private set; } = true;
    public bool RemoveExtraSpaces { get; private set; } = true;
    public bool EscapeSpaces { get; private set; } = true;

    /// <exception cref="InvalidModelException">It is no such file.</exception>
    public static SentencePieceFile Parse(byte[] content)
    {
        var file = new SentencePieceFile();
        try
        {
            Fields(content, (number, input) => number switch
            {
                1 => file.ReadPiece(input.ReadBytes().ToByteArray()),
                2 => Fields(input.ReadBytes().ToByteArray(), file.ReadTrainer),
                3 => Fields(input.ReadBytes().ToByteArray(), file.ReadNormalizer),
                _ => false,
            });
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new InvalidModelException($"it is no SentencePiece model: {e.Message}", e);
        }
        return file;
    }

    private static bool Fields(byte[] message, Func<int, CodedInputStream, bool> read)
    {
        using var input = new CodedInputStream(message);
        for (uint tag; (tag = input.ReadTag()) != 0;)
        {
            if (!read(WireFormat.GetTagFieldNumber(tag), input))
                input.SkipLastField();
        }
        return true;
    }

    private bool ReadPiece(byte[] message)
    {
        var piece = new SentencePiece("", 0, SentencePieceKind.Normal);
        Fields(message, (number, input) =>
        {
            switch (number)
            {
                case 1: piece = piece with { Text = input.ReadString() }; return true;
                case 2: piece = piece with { Score = input.ReadFloat() }; return true;
                case 3: piece = piece with { Kind = (SentencePieceKind)input.ReadEnum() }; return true;
                default: return false;
            }
        });
        Pieces.Add(piece);
        return true;
    }

    private bool ReadTrainer(int number, CodedInputStream input)
    {
        switch (number)
        {
            case 3: ModelType = input.ReadEnum(); return true;
            case 24: WhitespaceAsSuffix = input.ReadBool(); return true;
            case 35: ByteFallback = input.ReadBool(); return true;
            case 41: BosId = input.ReadInt32(); return true;
            case 42: EosId = input.ReadInt32(); return true;
            case 43: PadId = input.ReadInt32(); return true;
            case 44: UnknownText = input.ReadString(); return true;
            default: return false;
        }
    }

    private bool ReadNormalizer(int number, CodedInputStream input)
    {
        switch (number)
        {
            case 2: CharsMap = input.ReadBytes().ToByteArray(); return true;
            case 3: AddPrefix = input.ReadBool(); return true;
            case 4: RemoveExtraSpaces = input.ReadBool(); return true;
            case 5: EscapeSpaces = input.ReadBool(); return true;
            default: return false;
        }
    }
}
