namespace LlmOps.Worker;

/// <summary>
/// In the single-process profile one process at a time owns the data folder. The operating system gives the lock up with the process,
/// even after kill -9, so holding it proves that every earlier owner is dead.
/// </summary>
public sealed class DataFolderLock : IDisposable
{
    private readonly FileStream file;

    private DataFolderLock(FileStream file) => this.file = file;

    public static DataFolderLock Take(string folder)
    {
        try
        {
            return new(new FileStream(Path.Combine(folder, "llmops.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException e)
        {
            throw new InvalidOperationException($"Another LlmOps process uses the data folder {folder}. Stop it, or set Data__Folder to another folder.", e);
        }
    }

    public void Dispose() => file.Dispose();
}
