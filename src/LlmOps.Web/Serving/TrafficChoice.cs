using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using LlmOps.Lifecycle.Deployments;

namespace LlmOps.Web.Serving;

public static class TrafficChoice
{
    /// <summary>The same revision for the same key as long as the shares stay as they are, each for its share of the keys; without a key as often as the shares say.</summary>
    public static ServingRevision For(this IReadOnlyList<ServingRevision> revisions, string? key)
    {
        if (string.IsNullOrEmpty(key))
            return revisions.ByTraffic();
        // Of the deployment too: a key that gets the new revision of one deployment is not first everywhere.
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{revisions[0].Deployment}\n{key}"));
        return revisions.At((int)(BinaryPrimitives.ReadUInt32BigEndian(hash) % (uint)revisions.Sum(r => r.TrafficPercent)));
    }

    /// <summary>One of the revisions, each as often as its share of the traffic says.</summary>
    public static ServingRevision ByTraffic(this IReadOnlyList<ServingRevision> revisions, Random? random = null) =>
        revisions.At((random ?? Random.Shared).Next(revisions.Sum(r => r.TrafficPercent)));

    private static ServingRevision At(this IReadOnlyList<ServingRevision> revisions, int point)
    {
        foreach (var revision in revisions)
            if ((point -= revision.TrafficPercent) < 0)
                return revision;
        return revisions[^1];
    }
}
