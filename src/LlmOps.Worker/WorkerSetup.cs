using LlmOps.Lifecycle.Jobs;
using LlmOps.Training;
using LlmOps.Worker.Handlers;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace LlmOps.Worker;

public static class WorkerSetup
{
    /// <summary>Everything that carries out jobs. The handlers are a closed list: one for each kind of stage.</summary>
    public static IServiceCollection AddWorker(this IServiceCollection services, IConfiguration configuration)
    {
        var settings = WorkerSettings.From(configuration);
        services.AddSingleton(settings);
        if (settings.LibtorchFolder is not null) TorchRuntime.LibtorchFolder = settings.LibtorchFolder;
        services.AddSingleton(PipelineFolders.From(configuration));
        services.AddSingleton<DatasetFiles>();
        services.AddSingleton<TrainingSources>();
        services.AddSingleton<TrainingRecorder>();
        services.AddSingleton<IJobHandler, ImportDataHandler>();
        services.AddSingleton<IJobHandler, ImportCheckpointHandler>();
        services.AddSingleton<IJobHandler, TrainTokenizerHandler>();
        services.AddSingleton<IJobHandler, PretrainHandler>();
        services.AddSingleton<IJobHandler, AlignHandler>();
        services.AddSingleton<IJobHandler, AlignUnpairedHandler>();
        services.AddSingleton<IJobHandler, TrainRewardHandler>();
        services.AddSingleton<IJobHandler, DistillHandler>();
        services.AddSingleton<IJobHandler, FineTuneHandler>();
        services.AddSingleton<IJobHandler, MakeSamplesHandler>();
        services.AddSingleton<IJobHandler, TrainClassifierHandler>();
        services.AddSingleton<IJobHandler, TrainAutoencoderHandler>();
        services.AddSingleton<IJobHandler, TrainDiffusionHandler>();
        services.AddSingleton<IJobHandler, TrainLstmHandler>();
        services.AddSingleton<IJobHandler, TrainBaselineHandler>();
        services.AddSingleton<IJobHandler, ExportOnnxHandler>();
        services.AddSingleton<IJobHandler, OptimizeGraphHandler>();
        services.AddSingleton<IJobHandler, QuantizeHandler>();
        services.AddSingleton<IJobHandler, SearchVariantHandler>();
        services.AddSingleton<IJobHandler, EvaluateHandler>();
        services.AddSingleton<IJobHandler, EvaluateSuiteHandler>();
        services.AddSingleton<IJobHandler, CheckContaminationHandler>();
        services.AddSingleton<IJobHandler, CalibrateJudgeHandler>();
        services.AddSingleton<IJobHandler, GateHandler>();
        services.AddSingleton<IJobHandler, CompareRunsHandler>();
        services.AddSingleton<IJobHandler, BuildIndexHandler>();
        services.AddSingleton<IJobHandler, DeployHandler>();
        services.AddSingleton<JobRunner>();
        services.AddHostedService<WorkerLoop>();
        return services;
    }
}
