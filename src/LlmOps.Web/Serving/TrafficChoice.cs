using LlmOps.Lifecycle.Deployments;

namespace LlmOps.Web.Serving;

public static class TrafficChoice
{
    /// <summary>One of the revisions, each as often as its share of the traffic says.</summary>
    public static ServingRevision ByTraffic(this IReadOnlyList<ServingRevision> revisions, Random? random = null)
    {
        var point = (random ?? Random.Shared).Next(revisions.Sum(r => r.TrafficPercent));
        foreach (var revision in revisions)
            if ((point -= revision.TrafficPercent) < 0)
                return revision;
        return revisions[^1];
    }
}
