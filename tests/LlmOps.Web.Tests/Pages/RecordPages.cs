using Bunit;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Evaluation;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Pipelines;
using LlmOps.Lifecycle.Planning;
using LlmOps.Lifecycle.Promotion;
using LlmOps.Lifecycle.Registry;
using LlmOps.Lifecycle.Tracking;
using LlmOps.TestKit;
using LlmOps.Web.Tests.Components;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Web.Tests.Pages;

/// <summary>Pages about records, with the real use cases behind them.</summary>
public abstract class RecordPages : InterfaceContext, IAsyncLifetime
{
    protected TestProduct Product { get; private set; } = null!;

    protected string Address => Services.GetRequiredService<NavigationManager>().Uri;

    public async ValueTask InitializeAsync()
    {
        Product = await TestProduct.CreateAsync(DatabaseProvider.Sqlite);
        Services.AddSingleton<TimeProvider>(Product.Clock);
        Use<ReadOverview>(); Use<LlmOps.Lifecycle.Scheduling.ReadIncidents>(); Use<ReadModels>(); Use<ReadVersion>(); Use<ReadLineage>(); Use<ReadDatasets>(); Use<ReadRows>(); Use<ReadAnnotations>(); Use<ReadRuns>(); Use<LlmOps.Lifecycle.Tracking.Search.FilterRuns>(); Use<ReadCurves>(); Use<ReadRunOutputs>(); Use<ControlTraining>(); Use<StartFromCheckpoint>(); Use<LlmOps.Lifecycle.Jobs.CancelJobUseCase>();
        Use<LlmOps.Lifecycle.Evaluation.Contamination.ReadContamination>(); Use<LlmOps.Lifecycle.Evaluation.Contamination.StartContaminationCheck>();
        Use<StartPipeline>(); Use<DescribeModel>(); Use<RequestPromotion>(); Use<RequestRollback>(); Use<ReadAliasHistory>(); Use<LlmOps.Lifecycle.Promotion.Attestations.ReadAttestations>(); Use<ImportDataset>(); Use<Annotate>(); Use<CompareRuns>();
        Use<PlanFit>(); Use<MeasureMachine>(); Use<ReadPareto>(); Use<ImportModel>();
        foreach (var bundle in new[] { "live-curve", "charts", "pipeline-diagram" })
            JSInterop.SetupModule($"./js/{bundle}.js").Mode = JSRuntimeMode.Loose;
        SetRendererInfo(new RendererInfo("Server", isInteractive: true));
    }

    async ValueTask IAsyncDisposable.DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await DisposeAsync();
        await Product.DisposeAsync();
    }

    /// <summary>The page as this person sees it at this address.</summary>
    protected IRenderedComponent<TPage> Open<TPage>(Actor actor, string address = "/", Action<ComponentParameterCollectionBuilder<TPage>>? parameters = null) where TPage : IComponent
    {
        Services.GetRequiredService<NavigationManager>().NavigateTo(address);
        return Render<TPage>(p =>
        {
            p.AddCascadingValue(actor);
            parameters?.Invoke(p);
        });
    }

    protected static AngleSharp.Dom.IElement Button<TPage>(IRenderedComponent<TPage> page, string text) where TPage : IComponent =>
        page.FindAll("button").First(b => b.TextContent.Trim().StartsWith(text, StringComparison.Ordinal));

    private void Use<T>() where T : class => Services.AddSingleton(_ => Product.Get<T>());
}
