namespace LlmOps.Web.Serving;

public static class ServingSetup
{
    public static void AddServing(this IServiceCollection services)
    {
    }
}
