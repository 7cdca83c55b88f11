using LlmOps.Engines.Onnx;

namespace LlmOps.Engines.Tests.Onnx;

public sealed class MatrixTests
{
    [Theory]
    [InlineData(16, 16), InlineData(64, 48), InlineData(37, 53), InlineData(1, 100), InlineData(100, 1), InlineData(80, 17)]
    public void Transpose_PutsEveryValueInItsPlace_AndTouchesNoOther(int rows, int columns)
    {
        Check(Enumerable.Range(1, rows * columns).Select(i => (float)i).ToArray());
        Check(Enumerable.Range(1, rows * columns).Select(i => (sbyte)(i % 100 + 1)).ToArray());

        void Check<T>(T[] source) where T : unmanaged
        {
            const int offset = 3;
            var stride = rows + 7;
            var target = new T[columns * stride];
            Matrix.Transpose<T>(source, rows, columns, target, stride, offset);
            for (var c = 0; c < columns; c++)
                for (var at = 0; at < stride; at++)
                    Assert.Equal(at >= offset && at < offset + rows ? source[(at - offset) * columns + c] : default, target[c * stride + at]);
        }
    }

    [Fact]
    public void Transpose_RefusesATargetThatIsTooSmall() =>
        Assert.Throws<ArgumentException>(() => Matrix.Transpose<float>(new float[6], 2, 3, new float[5], 2));
}
