using TorchSharp;

namespace LlmOps.Training.SmallModels;

/// <summary>Operations on images [n, channels, height, width].</summary>
internal static class Pixels
{
    /// <summary>Every pixel becomes 2 × 2 equal ones. libtorch's own interpolation takes several times as long in the backward pass.</summary>
    public static torch.Tensor Double(torch.Tensor x)
    {
        var (n, channels, height, width) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3]);
        return x.view(n, channels, height, 1, width, 1).expand(n, channels, height, 2, width, 2).reshape(n, channels, 2 * height, 2 * width);
    }
}
