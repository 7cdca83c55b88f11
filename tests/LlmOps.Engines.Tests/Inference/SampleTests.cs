using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace LlmOps.Engines.Tests.Inference;

public sealed class SampleTests(ExportedModels models)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task GenerateText_ContinuesAPrompt_InAProcessOfItsOwn()
    {
        var (code, output, error) = await RunAsync(AppContext.BaseDirectory, "GenerateText.dll", models.TiedOnnx, "a small dog");

        Assert.Equal((0, ""), (code, error));
        Assert.NotEmpty(output.Trim());
        Assert.True((await File.ReadAllLinesAsync(Path.Combine(Root(), "docs", "samples", "GenerateText", "Program.cs"), Ct)).Length <= 10);
    }

    [Fact]
    public async Task OnnxRuntimeFlavor_SwapsThePackage_ByOneProperty()
    {
        const string package = "Microsoft.ML.OnnxRuntime.Gpu";
        var (code, output, error) = await RunAsync(Root(), "msbuild", "docs/samples/GenerateText", "-getItem:PackageReference", "-getItem:PackageVersion", "-p:OnnxRuntimeFlavor=gpu");

        Assert.Equal((0, ""), (code, error));
        using var json = JsonDocument.Parse(output);
        Dictionary<string, string> Items(string kind) => json.RootElement.GetProperty("Items").GetProperty(kind).EnumerateArray().Where(i => i.GetProperty("Identity").GetString()!.StartsWith("Microsoft.ML.OnnxRuntime", StringComparison.Ordinal))
            .ToDictionary(i => i.GetProperty("Identity").GetString()!, i => i.TryGetProperty("Version", out var version) ? version.GetString()! : "");
        Assert.Equal([package], Items("PackageReference").Keys);
        Assert.Equal(Items("PackageVersion")["Microsoft.ML.OnnxRuntime.Managed"], Items("PackageVersion")[package]);
    }

    private static async Task<(int Code, string Output, string Error)> RunAsync(string folder, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("dotnet", arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(Ct), process.StandardError.ReadToEndAsync(Ct));
        await process.WaitForExitAsync(Ct);
        return (process.ExitCode, await output, await error);
    }

    private static string Root([CallerFilePath] string file = "")
    {
        var folder = new DirectoryInfo(Path.GetDirectoryName(file)!);
        while (!File.Exists(Path.Combine(folder.FullName, "LlmOps.sln")))
            folder = folder.Parent ?? throw new InvalidOperationException("The tests' source is not in the repository.");
        return folder.FullName;
    }
}
