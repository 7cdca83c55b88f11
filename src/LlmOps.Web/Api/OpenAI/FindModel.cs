using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Deployments;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Serving;

namespace LlmOps.Web.Api.OpenAI;

/// <summary>
/// What the <c>model</c> of a request means: a deployment by its name, <c>rag:name</c> for one over documents, <c>model@alias</c>, or <c>model/version[:variant]</c>.
/// </summary>
public sealed class FindModel(ReadServing serving, ReadServedVersions versions)
{
    public const string RagPrefix = "rag:";

    /// <param name="user">The same one gets the same revision.</param>
    public async Task<ServingRevision> GetAsync(string? model, string? user, Actor actor, CancellationToken ct)
    {
        actor.Require(Permission.Chat);
        if (string.IsNullOrWhiteSpace(model))
            throw OpenAIException.Invalid("'model' must name a model. GET /v1/models lists them.", "model");
        try
        {
            if (model.StartsWith(RagPrefix, StringComparison.Ordinal))
                return (await serving.GetAsync(model[RagPrefix.Length..], DeploymentKind.Rag, ct)).For(user);
            if (model.Contains('/', StringComparison.Ordinal))
                return model.Split(':', 2) is [var key, var variant] ? await versions.GetVersionAsync(VersionKey.Parse(key), variant, actor, ct) : await versions.GetVersionAsync(VersionKey.Parse(model), null, actor, ct);
            if (model.Split('@', 2) is [var name, var alias])
                return await versions.GetAliasAsync(name, alias, actor, ct);
            return (await serving.GetAsync(model, DeploymentKind.Chat, ct)).For(user);
        }
        catch (LlmOpsException e) when (e.Code is ErrorCode.ResourceDoesNotExist)
        {
            throw OpenAIException.NoModel($"The model '{model}' does not exist. GET /v1/models lists those that do; a version is called name/version or name/version:variant.");
        }
        catch (LlmOpsException e) when (e.Code is ErrorCode.ResourceConflict or ErrorCode.InvalidParameterValue)
        {
            throw OpenAIException.NoModel($"The model '{model}' cannot answer: {e.Message}");
        }
    }
}
