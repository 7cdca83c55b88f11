using System.Diagnostics;
using System.Reflection;
using LlmOps.Lifecycle.Identity;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Settings;

/// <summary>What this server is made of.</summary>
public sealed partial class AboutServer
{
    private static readonly long Started = new DateTimeOffset(Process.GetCurrentProcess().StartTime).ToUnixTimeMilliseconds();
    private static readonly string[] Shown = ["Microsoft.ML.OnnxRuntime", "TorchSharp", "Microsoft.EntityFrameworkCore", "MassTransit", "Hangfire.Core", "Lucene.Net", "MudBlazor"];

    [Inject] private IConfiguration Configuration { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    /// <summary>Only what this process has loaded: a library that is not here has done nothing here.</summary>
    private static IEnumerable<(string Name, string Version)> Libraries => AppDomain.CurrentDomain.GetAssemblies()
        .Where(a => Shown.Contains(a.GetName().Name)).Select(a => (a.GetName().Name!, Version(a))).OrderBy(l => l.Item1);

    private static string Version(Type type) => Version(type.Assembly);

    private static string Version(Assembly assembly) =>
        (assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? assembly.GetName().Version?.ToString() ?? "unknown").Split('+')[0];
}
