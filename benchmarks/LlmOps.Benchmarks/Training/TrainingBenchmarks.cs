using System.Globalization;
using LlmOps.Training;
using LlmOps.Training.Architectures;

namespace LlmOps.Benchmarks.Training;

/// <summary>The benchmarks of training, each measured side by side in one run; benchmarks/README.md lists them.</summary>
internal static class TrainingBenchmarks
{
    public const string Command = "training";

    public static void Run(string[] args)
    {
        int Number(int at, int otherwise) => args.Length > at ? int.Parse(args[at], CultureInfo.InvariantCulture) : otherwise;
        switch (args)
        {
            case ["peer", var size, ..]:
                Peer.Run(size, Number(2, 7), Number(3, Environment.ProcessorCount));
                break;
            case ["gpu", var size, var precision, ..]:
                TorchRuntime.LibtorchFolder = Environment.GetEnvironmentVariable("Worker__LibtorchFolder") ?? throw new ArgumentException("Set Worker__LibtorchFolder to the lib folder of a libtorch built for CUDA.");
                Peer.Run(size, Number(3, 7), Environment.ProcessorCount, TrainingDevice.Cuda, Enum.Parse<Precision>(precision, ignoreCase: true));
                break;
            case ["packing", ..]:
                PackingSpeed.Run(Number(1, 7), Number(2, Environment.ProcessorCount));
                break;
            case ["reference", ..]:
                ReferenceSpeed.Run(Number(1, 7), Number(2, Environment.ProcessorCount));
                break;
            case ["precision", var size, ..]:
                PrecisionSpeed.Run(size, Number(2, 7), Number(3, Environment.ProcessorCount));
                break;
            case ["profile", var size, ..]:
                StepProfile.Run(size, Number(2, 20), Number(3, Environment.ProcessorCount));
                break;
            case ["start", ..]:
                FirstStep.Run(Number(1, 7));
                break;
            case [FirstStep.Child, var folder]:
                FirstStep.RunChild(folder);
                break;
            default:
                throw new ArgumentException("training peer SIZE [rounds] [threads] | gpu SIZE PRECISION [rounds] | packing [rounds] [threads] | reference [rounds] [threads] | precision SIZE [rounds] [threads] | profile SIZE [steps] [threads] | start [rounds]");
        }
    }
}
