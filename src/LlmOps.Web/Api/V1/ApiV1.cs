namespace LlmOps.Web.Api.V1;

public static class ApiV1
{
    public static void MapApiV1(this WebApplication app)
    {
        var v1 = app.MapGroup("/api/v1");
    }
}
