using System.Runtime.CompilerServices;
using LlmOps.Engines.Benchmarking;

namespace LlmOps.Web.Tests;

internal static class MeasuringProcess
{
    // A pass proves its result in a fresh process, which is this program again, and its generated Main knows nothing of that.
    [ModuleInitializer]
    internal static void Measure()
    {
        if (Probe.TryMain(Environment.GetCommandLineArgs()[1..]))
            Environment.Exit(Environment.ExitCode);
    }
}
