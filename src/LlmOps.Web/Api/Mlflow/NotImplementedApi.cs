namespace LlmOps.Web.Api.Mlflow;

/// <summary>What the MLflow API knows and this server does not do. It says so by name: a 404 would make a client look for another address.</summary>
internal static class NotImplementedApi
{
    public static void MapMissing(this MlflowRoutes routes)
    {
        Traces(routes);
        Evaluation(routes);
        Platform(routes);
    }

    private static void Traces(MlflowRoutes routes)
    {
        routes.Missing("GET", "/mlflow/unified-traces", "Unified traces, a part of Databricks,", "2.0");
        routes.Missing("GET", "/mlflow/get-online-trace-details", "Online trace details, a part of Databricks,", "2.0");
    }

    private static void Evaluation(MlflowRoutes routes)
    {
        routes.Missing("POST", "/mlflow/scorers/register", "RegisterScorer");
        routes.Missing("GET", "/mlflow/scorers/list", "ListScorers");
        routes.Missing("GET", "/mlflow/scorers/versions", "ListScorerVersions");
        routes.Missing("GET", "/mlflow/scorers/get", "GetScorer");
        routes.Missing("DELETE", "/mlflow/scorers/delete", "DeleteScorer");
        routes.Missing("GET", "/mlflow/scorers/online-configs", "Online scoring");
        routes.Missing("PUT", "/mlflow/scorers/online-config", "Online scoring");
        foreach (var path in new[] { "create", "update", "delete" })
            routes.Missing(path switch { "create" => "POST", "update" => "PATCH", _ => "DELETE" }, $"/mlflow/label-schemas/{path}", "Label schemas");
        foreach (var path in new[] { "get", "get-by-name", "list" })
            routes.Missing("GET", $"/mlflow/label-schemas/{path}", "Label schemas");
        foreach (var path in new[] { "create", "get-or-create-user", "update", "delete", "items/add", "items/remove", "items/set-status" })
            routes.Missing("POST", $"/mlflow/review-queues/{path}", "Review queues");
        foreach (var path in new[] { "get", "get-by-name", "list", "items/list" })
            routes.Missing("GET", $"/mlflow/review-queues/{path}", "Review queues");
        routes.Missing("POST", "/mlflow/issues", "Issues");
        routes.Missing("POST", "/mlflow/issues/search", "Issues", onlyReads: true);
        routes.Missing("PATCH,GET", "/mlflow/issues/{issue_id}", "Issues");
        routes.Missing("POST", "/mlflow/prompt-optimization/jobs", "Prompt optimization");
        routes.Missing("POST,GET", "/mlflow/prompt-optimization/jobs/search", "Prompt optimization", onlyReads: true);
        routes.Missing("GET,DELETE", "/mlflow/prompt-optimization/jobs/{job_id}", "Prompt optimization");
        routes.Missing("POST", "/mlflow/prompt-optimization/jobs/{job_id}/cancel", "Prompt optimization");
        routes.Missing("POST", "/mlflow/genai/evaluate/invoke", "Evaluation from the page");
        routes.Missing("POST", "/mlflow/scorer/invoke", "Scoring from the page");
        routes.Missing("POST", "/mlflow/issues/invoke", "Issue detection");
        routes.Missing("GET", "/mlflow/jobs/{job_id}", "Jobs of the reference server");
        routes.Missing("PATCH", "/mlflow/jobs/cancel/{job_id}", "Jobs of the reference server");
    }

    private static void Platform(MlflowRoutes routes)
    {
        routes.Missing("GET,POST", "/mlflow/workspaces", "Workspaces");
        routes.Missing("GET,PATCH,DELETE", "/mlflow/workspaces/{workspace_name}", "Workspaces");
        routes.Missing("GET,POST,PATCH,PUT,DELETE", "/mlflow/gateway/{**path}", "The AI gateway");
        foreach (var (path, method) in new[] { ("create", "POST"), ("get", "GET"), ("list", "GET"), ("current", "GET"), ("update-password", "PATCH"), ("update-admin", "PATCH"), ("delete", "DELETE") })
            routes.Missing(method, $"/mlflow/users/{path}", "Users; people and tokens are kept under Settings. It", "2.0");
        foreach (var what in new[] { "experiments", "registered-models" })
            foreach (var (path, method) in new[] { ("create", "POST"), ("get", "GET"), ("update", "PATCH"), ("delete", "DELETE") })
                routes.Missing(method, $"/mlflow/{what}/permissions/{path}", "Permissions of single records; roles are kept under Settings. It", "2.0");
    }
}
