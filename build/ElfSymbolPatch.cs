using System;
using System.IO;
using System.Linq;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>
/// Writes a copy of TorchSharp's native wrapper that an older libstdc++ accepts. The only symbol that asks for GLIBCXX_3.4.32 is the one that
/// initialises the standard streams; the constructor std::ios_base::Init::Init() does the same since GLIBCXX_3.4 and ignores its argument.
/// The copy imports that one instead and marks the newer version as optional. Any other symbol of that version stops the build: then this
/// patch is no longer enough. Compiled by MSBuild against netstandard2.0.
/// </summary>
public sealed class ElfSymbolPatch : Task
{
    private const string Replaced = "_ZSt21ios_base_library_initv";
    private const string Replacement = "_ZNSt8ios_base4InitC1Ev";
    private const uint DynamicSymbols = 11, SymbolVersions = 0x6fffffff, NeededVersions = 0x6ffffffe;
    private byte[] bytes;

    [Required]
    public string Source { get; set; }

    [Required]
    public string Target { get; set; }

    public override bool Execute()
    {
        bytes = File.ReadAllBytes(Source);
        bool patched;
        try
        {
            patched = Patch();
        }
        catch (InvalidOperationException e)
        {
            Log.LogError("{0}: {1}", Source, e.Message);
            return false;
        }
        Directory.CreateDirectory(Path.GetDirectoryName(Target));
        string temporary = Target + "." + Guid.NewGuid().ToString("N");
        File.WriteAllBytes(temporary, bytes);
        // An earlier target may be hard-linked into outputs: removing the name leaves those alone, writing into it would not.
        if (File.Exists(Target)) File.Delete(Target);
        File.Move(temporary, Target);
        Log.LogMessage(MessageImportance.Normal, patched ? "Patched {0}" : "Nothing to patch in {0}", Source);
        return true;
    }

    private bool Patch()
    {
        bool elf64LittleEndian = bytes.Length >= 64 && bytes[0] == 0x7F && bytes[1] == 'E' && bytes[2] == 'L' && bytes[3] == 'F' && bytes[4] == 2 && bytes[5] == 1;
        if (!elf64LittleEndian) return false;

        long sectionTable = Long(40);
        int entrySize = Short(58);
        var sections = Enumerable.Range(0, Short(60)).Select(i => sectionTable + (long)i * entrySize)
            .Select(p => new { Type = Int(p + 4), Offset = Long(p + 24), Size = Long(p + 32), Link = (int)Int(p + 40) }).ToArray();
        var symbols = sections.FirstOrDefault(s => s.Type == DynamicSymbols);
        var versions = sections.FirstOrDefault(s => s.Type == SymbolVersions);
        var needed = sections.FirstOrDefault(s => s.Type == NeededVersions);
        if (symbols == null || versions == null || needed == null) return false;
        long strings = sections[symbols.Link].Offset;

        int oldest = -1;
        long newest = -1;
        for (long library = needed.Offset; ;)
        {
            string name = Text(strings + Int(library + 4));
            long version = library + Int(library + 8);
            for (int i = 0; i < Short(library + 2); i++)
            {
                string versionName = Text(strings + Int(version + 8));
                if (name == "libstdc++.so.6" && versionName == "GLIBCXX_3.4") oldest = Short(version + 6);
                if (versionName == "GLIBCXX_3.4.32") newest = version;
                version += Int(version + 12);
            }
            if (Int(library + 12) == 0) break;
            library += Int(library + 12);
        }
        if (newest < 0 || oldest < 0) return false;

        bool patched = false;
        for (long i = 0; i < symbols.Size / 24; i++)
        {
            if (Short(versions.Offset + 2 * i) != Short(newest + 6)) continue;
            long nameAt = strings + Int(symbols.Offset + 24 * i);
            if (Text(nameAt) != Replaced) throw new InvalidOperationException("another symbol needs GLIBCXX_3.4.32: " + Text(nameAt));
            Array.Clear(bytes, (int)nameAt, Replaced.Length);
            Encoding.ASCII.GetBytes(Replacement, 0, Replacement.Length, bytes, (int)nameAt);
            Write(versions.Offset + 2 * i, oldest);
            patched = true;
        }
        const int weak = 2;
        if (patched) Write(newest + 4, weak);
        return patched;
    }

    private long Long(long at) { return BitConverter.ToInt64(bytes, (int)at); }

    private uint Int(long at) { return BitConverter.ToUInt32(bytes, (int)at); }

    private ushort Short(long at) { return BitConverter.ToUInt16(bytes, (int)at); }

    private void Write(long at, int value)
    {
        bytes[at] = (byte)value;
        bytes[at + 1] = (byte)(value >> 8);
    }

    private string Text(long at)
    {
        int end = (int)at;
        while (bytes[end] != 0) end++;
        return Encoding.ASCII.GetString(bytes, (int)at, end - (int)at);
    }
}
