namespace LlmOps.Web.Serving;

public static class ServingSetup
{
    public static void AddServing(this IServiceCollection services)
    {
        services.AddSingleton<ServedModels>();
        services.AddSingleton<ServingLimits>();
        services.AddSingleton<CopyToShadows>();
        services.AddSingleton<ReadBatches>();
        services.AddSingleton<ServeGeneration>();
        services.AddSingleton<ChatWithDeployment>();
        services.AddSingleton<AskDeployment>();
        services.AddSingleton<SearchKnowledge>();
        services.AddSingleton<EmbedServedTexts>();
        services.AddSingleton<LlmOps.Lifecycle.Tracing.Drift.EmbedAsked>(s => s.GetRequiredService<EmbedServedTexts>().EmbedAsync);
    }
}
