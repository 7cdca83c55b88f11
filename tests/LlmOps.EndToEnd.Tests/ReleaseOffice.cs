using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Jobs;
using LlmOps.Lifecycle.Registry;
using LlmOps.TestKit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Playwright;

namespace LlmOps.EndToEnd.Tests;

/// <summary>
/// A server as people start it, a real browser, and a database with people who may sign and models that somebody made and measured.
/// Tests write to the same file beside the server, as an operator with a database client could.
/// </summary>
public sealed class ReleaseOffice : IAsyncLifetime
{
    private readonly Dictionary<string, Desk> desks = [];
    private readonly Dictionary<string, Person> people = [];
    private TestProduct? product;
    private WebProcess? web;
    private IPlaywright? playwright;
    private IBrowser? browser;
    private int models;

    public TestProduct Product => product!;
    public WebProcess Web => web!;

    /// <summary>The settings with which any program of the product opens this database.</summary>
    public Dictionary<string, string> Settings { get; private set; } = [];

    public async ValueTask InitializeAsync()
    {
        if (!File.Exists(Services.Chromium))
            return;
        product = await TestProduct.CreateAsync(DatabaseProvider.Sqlite);
        CatchUp();
        // Rita asks, Mara had the versions made; both could sign by their role, so that only who they are stands in the way.
        foreach (var (name, roles) in new (string, string[])[]
        {
            ("rita", [Roles.Engineer, Roles.ReleaseManager]), ("mara", [Roles.Engineer, Roles.ReleaseManager]), ("rosa", [Roles.ReleaseManager]), ("rolf", [Roles.ReleaseManager]),
            ("erin", [Roles.Engineer]), ("ada", [Roles.Admin]),
        })
            people[name] = await product.Get<ManagePeople>().CreateAsync(name, name, WebProcess.Password, roles, product.Ada);
        await using (var db = product.Open())
            Settings = new() { ["Data__Folder"] = product.Folder, ["ConnectionStrings__Database"] = db.Database.GetConnectionString()! };
        web = await WebProcess.StartAsync(new Dictionary<string, string>(Settings) { ["Worker__Embedded"] = "false", ["Logging__LogLevel__Default"] = "Warning" });
        playwright = await Playwright.CreateAsync();
        browser = await playwright.Chromium.LaunchAsync(new() { ExecutablePath = Services.Chromium, Headless = true, Args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
    }

    /// <summary>One person's browser, signed in.</summary>
    public async Task<Desk> OfAsync(string person) => desks.TryGetValue(person, out var open) ? open : desks[person] = await Desk.SignInAsync(browser!, Web, person);

    public async Task<Actor> ActorAsync(string person) => await Product.Get<ManagePeople>().FindActorAsync(people[person].Id) ?? throw new InvalidOperationException(person);

    /// <summary>A model of its own with two measured versions that Mara's jobs made. No alias points to it.</summary>
    public async Task<(string Name, ModelVersion First, ModelVersion Second)> ModelAsync(string word)
    {
        CatchUp();
        var name = $"{word}-{Interlocked.Increment(ref models)}";
        return (name, await MadeAsync(name, 0.6), await MadeAsync(name, 0.8));
    }

    public async Task MeasureAsync(ModelVersion version, double right)
    {
        CatchUp();
        await Product.EvaluationAsync(version.Id, "int8", new Dictionary<string, double[]> { ["preference"] = [.. Enumerable.Range(0, 40).Select(i => i < 40 * right ? 1.0 : 0.0)] });
    }

    /// <summary>Version and form that an alias holds, "2 int8", or null.</summary>
    public Task<string?> HolderAsync(string model, string alias = "production") => Product.ReadAsync(async db =>
        await (from a in db.Aliases
               join m in db.Models on a.ModelId equals m.Id
               join v in db.ModelVersions on a.VersionId equals v.Id
               where m.Name == model && a.Name == alias
               select v.Number + " " + a.VariantName).SingleOrDefaultAsync());

    /// <summary>The server's clock is the machine's; rows that tests write must not look older than what the server wrote, nor lie in the future.</summary>
    public void CatchUp() => Product.Clock.Set(DateTimeOffset.UtcNow);

    public async ValueTask DisposeAsync()
    {
        if (browser is not null)
            await browser.DisposeAsync();
        playwright?.Dispose();
        if (web is not null)
            await web.DisposeAsync();
        if (product is not null)
            await product.DisposeAsync();
    }

    private async Task<ModelVersion> MadeAsync(string model, double right)
    {
        var mara = await ActorAsync("mara");
        var job = new Job { Kind = "fine-tune", SpecJson = "{}", State = JobState.Succeeded, CreatedById = mara.Id, CreatedBy = mara.Name, CreatedAt = Product.Clock.GetUtcNow() };
        var stored = await Product.StoreAsync($"checkpoint {Guid.NewGuid()}");
        var form = await Product.StoreAsync($"int8 {Guid.NewGuid()}");
        ModelVersion version;
        await using (var db = Product.Open())
        {
            db.Jobs.Add(job);
            version = await db.AddVersionAsync(new NewVersion(model, "fine-tune", stored, 1000, "for a test", "facts/1", "MIT", "{}", null, null, job.Id), mara, Product.Clock.GetUtcNow(), default);
            await db.PutVariantAsync(new NewVariant(version.Id, "int8", "int8", form, null, "{}", job.Id), mara, Product.Clock.GetUtcNow(), default);
            await db.SaveChangesAsync();
        }
        await MeasureAsync(version, right);
        return version;
    }
}
