using System.Buffers.Binary;
using System.Text;

namespace LlmOps.Training;

/// <summary>Changes the name that a shared library of 64-bit Linux gives itself (ELF: DT_SONAME, DT_NEEDED and DT_STRTAB of the dynamic section).</summary>
internal static class ElfName
{
    private const int Load = 1, Dynamic = 2, Needed = 1, StringTable = 5, Soname = 14;

    /// <summary>A copy whose own name is the end of one that it needs: strings are offsets into one table, so no string has to be added.</summary>
    /// <param name="library">The file.</param>
    /// <param name="needed">Name of a library that it needs.</param>
    /// <param name="name">The new name, an end of <paramref name="needed"/>.</param>
    /// <exception cref="InvalidDataException">It is no such file, has no name of its own, or does not need that library.</exception>
    public static byte[] AsSuffixOfNeeded(byte[] library, string needed, string name)
    {
        try
        {
            var copy = library.ToArray();
            if (!copy.AsSpan(0, 6).SequenceEqual((byte[])[0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1])) throw new InvalidDataException("it is no 64-bit ELF file");
            var headers = Enumerable.Range(0, BinaryPrimitives.ReadUInt16LittleEndian(copy.AsSpan(56))).Select(i => (int)Long(copy, 32) + 56 * i).ToList();
            int dynamic = headers.FirstOrDefault(h => Type(copy, h) == Dynamic, -1);
            if (dynamic < 0) throw new InvalidDataException("it has no dynamic section");
            int start = (int)Long(copy, dynamic + 8), count = (int)(Long(copy, dynamic + 32) / 16);
            var entries = Enumerable.Range(0, count).Select(i => start + 16 * i).TakeWhile(at => Long(copy, at) != 0).ToList();
            int At(long tag) => entries.FirstOrDefault(at => Long(copy, at) == tag, -1) is >= 0 and var at ? at : throw new InvalidDataException($"its dynamic section has no entry {tag}");
            long table = Offset(copy, headers, Long(copy, At(StringTable) + 8));
            long entry = entries.Where(at => Long(copy, at) == Needed).Select(at => Long(copy, at + 8)).FirstOrDefault(o => Text(copy, table + o) == needed, -1);
            if (entry < 0 || !needed.EndsWith(name, StringComparison.Ordinal)) throw new InvalidDataException($"it does not need {needed}");
            BinaryPrimitives.WriteInt64LittleEndian(copy.AsSpan(At(Soname) + 8), entry + needed.Length - name.Length);
            return copy;
        }
        catch (Exception e) when (e is ArgumentOutOfRangeException or IndexOutOfRangeException)
        {
            throw new InvalidDataException("it ends within its tables", e);
        }
    }

    private static long Long(byte[] file, long at) => BinaryPrimitives.ReadInt64LittleEndian(file.AsSpan((int)at, 8));

    private static uint Type(byte[] file, int header) => BinaryPrimitives.ReadUInt32LittleEndian(file.AsSpan(header, 4));

    // Addresses are those in memory; a loaded part says where in the file they come from.
    private static long Offset(byte[] file, IEnumerable<int> headers, long address)
    {
        foreach (int h in headers.Where(h => Type(file, h) == Load))
        {
            if (address >= Long(file, h + 16) && address < Long(file, h + 16) + Long(file, h + 32)) return address - Long(file, h + 16) + Long(file, h + 8);
        }
        throw new InvalidDataException("its string table is not loaded");
    }

    private static string Text(byte[] file, long at)
    {
        ReadOnlySpan<byte> rest = file.AsSpan((int)at);
        return Encoding.ASCII.GetString(rest[..rest.IndexOf((byte)0)]);
    }
}
