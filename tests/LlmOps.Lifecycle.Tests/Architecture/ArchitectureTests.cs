using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using LlmOps.TestKit;

namespace LlmOps.Lifecycle.Tests.Architecture;

/// <summary>Who may know whom. The table is the one in docs/architecture.md; change both or neither.</summary>
public sealed partial class ArchitectureTests
{
    private static readonly string[] EntityFramework = ["Microsoft.EntityFrameworkCore*", "Npgsql*", "Microsoft.Data.Sqlite*"];
    private static readonly string[] AspNet = ["Microsoft.AspNetCore*", "MudBlazor*"];
    private static readonly string[] Jobs = ["Hangfire*", "MassTransit*"];
    private static readonly string[] Torch = ["TorchSharp*", "libtorch*"];
    // Their names differ from the managed packages' only by what is missing.
    private static readonly string[] Native = ["Microsoft.ML.OnnxRuntime", "Microsoft.ML.OnnxRuntime.Gpu*", "TorchSharp-*", "libtorch*"];
    // Tables of the accounts, without the web framework.
    private const string IdentityTables = "Microsoft.AspNetCore.Identity.EntityFrameworkCore";

    private sealed record Rule(string[] Projects, string[] ForbiddenPackages, string[]? AllowedPackages = null);

    private static readonly Dictionary<string, Rule> Table = new()
    {
        ["LlmOps.Engines"] = new([], [.. EntityFramework, .. AspNet, .. Jobs, .. Torch, .. Native]),
        ["LlmOps.Training"] = new(["LlmOps.Engines"], [.. EntityFramework, .. AspNet, .. Jobs, .. Native]),
        ["LlmOps.Lifecycle"] = new(["LlmOps.Engines"], [.. AspNet, "Hangfire*", .. Torch, .. Native], [IdentityTables]),
        ["LlmOps.Worker"] = new(["LlmOps.Lifecycle", "LlmOps.Engines", "LlmOps.Training", "LlmOps.Migrations.Sqlite", "LlmOps.Migrations.Postgres"], [.. AspNet, "Hangfire*"]),
        ["LlmOps.Web"] = new(["LlmOps.Lifecycle", "LlmOps.Engines", "LlmOps.Worker"], ["TorchSharp*"]),
        ["LlmOps.Client"] = new([], [.. AspNet, "TorchSharp*", "Hangfire*"]),
        ["LlmOps.Cli"] = new(["LlmOps.Lifecycle", "LlmOps.Engines", "LlmOps.Training", "LlmOps.Worker"], [.. AspNet, "Hangfire*"]),
    };

    public static TheoryData<string> Projects => [.. Table.Keys];

    private static XDocument ProjectFile(string project) => XDocument.Load(RepositoryRoot.Path("src", project, project + ".csproj"));

    private static IEnumerable<string> References(XDocument project, string kind) =>
        project.Descendants(kind).Select(r => r.Attribute("Include")!.Value).Select(i => kind == "ProjectReference" ? Path.GetFileNameWithoutExtension(i.Replace('\\', '/')) : i);

    private static bool Matches(string name, string pattern) => pattern.EndsWith('*') ? name.StartsWith(pattern[..^1], StringComparison.Ordinal) : name == pattern;

    [Fact]
    public void EveryProject_IsInTheTable() =>
        Assert.Equal(Table.Keys.Order(), Directory.EnumerateFiles(RepositoryRoot.Path("src"), "*.csproj", SearchOption.AllDirectories).Select(f => Path.GetFileNameWithoutExtension(f)!).Order());

    [Theory]
    [MemberData(nameof(Projects))]
    public void Project_ReferencesOnlyWhatItMayKnow(string project)
    {
        var rule = Table[project];
        var file = ProjectFile(project);
        Assert.Empty(References(file, "ProjectReference").Except(rule.Projects));
        Assert.DoesNotContain(References(file, "PackageReference"), p => rule.AllowedPackages?.Contains(p) != true && rule.ForbiddenPackages.Any(f => Matches(p, f)));
        // The web framework comes with an SDK or a framework reference, not with a package.
        if (project != "LlmOps.Web")
        {
            Assert.DoesNotContain("Microsoft.AspNetCore.App", References(file, "FrameworkReference"));
            Assert.Equal("Microsoft.NET.Sdk", file.Root!.Attribute("Sdk")!.Value);
        }
    }

    [Theory]
    [InlineData("LlmOps.Engines")]
    [InlineData("LlmOps.Lifecycle")]
    public void Assembly_UsesOnlyWhatItMayKnow(string assembly)
    {
        var rule = Table[assembly];
        var used = Assembly.Load(assembly).GetReferencedAssemblies().Select(a => a.Name!).ToList();
        // Identity's tables bring their key types' names along; nothing else of the web framework.
        string[] allowed = [.. rule.AllowedPackages ?? [], "Microsoft.AspNetCore.Identity"];
        Assert.DoesNotContain(used, u => !allowed.Contains(u) && u != "Microsoft.ML.OnnxRuntime" && rule.ForbiddenPackages.Any(f => Matches(u, f)));
        Assert.Empty(used.Where(u => u.StartsWith("LlmOps.", StringComparison.Ordinal)).Except(rule.Projects));
    }

    [Fact]
    public void MassTransit_IsSeenInOneFolderOnly()
    {
        var allowed = RepositoryRoot.Path("src", "LlmOps.Lifecycle", "Messaging");
        Assert.Empty(Sources().Where(s => s.Text.Contains("using MassTransit", StringComparison.Ordinal) && !s.Path.StartsWith(allowed, StringComparison.Ordinal)).Select(s => s.Path));
    }

    [Theory]
    [InlineData("LlmOps.Web", "TorchSharp")]
    [InlineData("LlmOps.Web", "LlmOps.Training")]
    [InlineData("LlmOps.Lifecycle", "Microsoft.ML.OnnxRuntime")]
    [InlineData("LlmOps.Lifecycle", "LlmOps.Engines.Inference")]
    public void Sources_DoNotUse(string project, string name)
    {
        var folder = RepositoryRoot.Path("src", project) + Path.DirectorySeparatorChar;
        Assert.Empty(Sources().Where(s => s.Path.StartsWith(folder, StringComparison.Ordinal) && Regex.IsMatch(s.Text, $@"using {Regex.Escape(name)}\b")).Select(s => s.Path));
    }

    [Fact]
    public void TypeNames_HaveNoEmptySuffix() =>
        Assert.Empty(new[] { "LlmOps.Engines", "LlmOps.Lifecycle" }.SelectMany(a => Assembly.Load(a).GetTypes())
            // "Knowledge base" is the field's own word.
            .Where(t => t.IsPublic && t.Name != "KnowledgeBase" && EmptySuffix().IsMatch(t.Name)).Select(t => t.FullName));

    [Fact]
    public void Files_StayReadable() =>
        Assert.Empty(Sources().Where(s => s.Text.Count(c => c == '\n') > 400).Select(s => s.Path));

    private static IEnumerable<(string Path, string Text)> Sources() =>
        Directory.EnumerateFiles(RepositoryRoot.Path("src"), "*.*", SearchOption.AllDirectories)
            .Where(f => (f.EndsWith(".cs", StringComparison.Ordinal) || f.EndsWith(".razor", StringComparison.Ordinal)) && !Generated().IsMatch(f))
            .Select(f => (f, File.ReadAllText(f)));

    [GeneratedRegex("(Manager|Helper|Helpers|Util|Utils|Service|Base|Impl|Dto|Info)(`[0-9]+)?$")]
    private static partial Regex EmptySuffix();

    [GeneratedRegex(@"[/\\](obj|bin|node_modules)[/\\]")]
    private static partial Regex Generated();
}
