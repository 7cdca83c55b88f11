using System.Runtime.ExceptionServices;
using TorchSharp;

namespace LlmOps.Training;

/// <summary>Runs tensor work from start to end on one thread of its own: no_grad and dispose scopes do not survive a change of thread.</summary>
internal static class TrainingThread
{
    /// <summary>Starts libtorch, runs the work inside a dispose scope and waits for it; its exception is thrown here.</summary>
    public static T Run<T>(int threads, Func<T> work)
    {
        TorchRuntime.Start(threads);
        T result = default!;
        ExceptionDispatchInfo? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                using var scope = torch.NewDisposeScope();
                result = work();
            }
            catch (Exception e)
            {
                failure = ExceptionDispatchInfo.Capture(e);
            }
        })
        { Name = "training", IsBackground = true };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result;
    }
}
