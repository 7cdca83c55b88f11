using Google.Protobuf;
using LlmOps.Engines.Onnx.Wire;

namespace LlmOps.Engines.Onnx;

/// <summary>Sets of inputs on disk, one after the other, each as a graph that has nothing but initializers.</summary>
internal static class SampleFile
{
    public static void Write(string path, IEnumerable<IReadOnlyList<NamedTensor>> samples)
    {
        using var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
        foreach (var sample in samples)
            Proto(sample).WriteDelimitedTo(stream);
    }

    public static IEnumerable<IReadOnlyList<NamedTensor>> Read(string path)
    {
        using var stream = File.OpenRead(path);
        while (stream.Position < stream.Length)
            yield return [.. GraphProto.Parser.ParseDelimitedFrom(stream).Initializer.Select(NamedTensor.FromProto)];
    }

    public static GraphProto Proto(IReadOnlyList<NamedTensor> sample) => new() { Initializer = { sample.Select(t => t.ToProto()) } };
}
