using System.Security.Cryptography;
using System.Text.Json;
using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Artifacts;
using LlmOps.Lifecycle.Data;
using Microsoft.AspNetCore.DataProtection;

namespace LlmOps.Web.Api.Mlflow;

public enum GrantedUse
{
    Download,
    Upload,
    Part,
}

/// <summary>What whoever holds an address may do, and until when: one thing with one path.</summary>
/// <param name="Use">What may be done.</param>
/// <param name="Path">The whole path of the artifact.</param>
/// <param name="Upload">The unfinished upload that a part belongs to.</param>
/// <param name="Part">Its number; 0 for a whole file.</param>
/// <param name="Until">After this moment the address is worth nothing.</param>
public sealed record ArtifactGrant(GrantedUse Use, string Path, string? Upload, int Part, DateTimeOffset Until);

/// <summary>
/// Addresses that carry their own permission, for clients that send no token to them: those of parts of a file, and presigned ones. Such an address is sealed with the keys of this
/// installation, so that nobody can make one or change one, and says nothing to who reads it.
/// </summary>
public sealed class ArtifactGrants(IDataProtectionProvider protection, TimeProvider time)
{
    public const string Pattern = "/api/2.0/mlflow-artifacts/granted/{**path}";
    private const string Parameter = "grant";
    private const int Longest = 8000;
    private readonly IDataProtector protector = protection.CreateProtector("LlmOps.ArtifactGrants.v1");

    /// <summary>The whole address, on the host that the client itself called.</summary>
    public string AddressOf(ArtifactGrant grant, HttpRequest request)
    {
        var path = string.Join('/', grant.Path.Split('/').Select(Uri.EscapeDataString));
        return $"{request.Scheme}://{request.Host.ToUriComponent()}{request.PathBase.ToUriComponent()}{Pattern.Replace("{**path}", path, StringComparison.Ordinal)}?{Parameter}={protector.Protect(Json.Write(grant))}";
    }

    public string AddressOf(GrantedUse use, ArtifactPath path, TimeSpan lasting, HttpRequest request) => AddressOf(new(use, path.Full, null, 0, time.GetUtcNow() + lasting), request);

    /// <summary>What the address of this request grants; a refusal for one that was made up, changed, moved to another path or kept too long.</summary>
    public ArtifactGrant Read(HttpRequest request, string? path)
    {
        var grant = Open(request.Query[Parameter]) is { } opened && opened.Path == path ? opened : throw Refused("This address carries no grant for this path. Ask for a new one.");
        return time.GetUtcNow() < grant.Until ? grant : throw Refused("The time of this address is over. Ask for a new one.");
    }

    private ArtifactGrant? Open(string? sealedText)
    {
        if (sealedText is not { Length: > 0 and <= Longest })
            return null;
        try
        {
            return Json.Read<ArtifactGrant>(protector.Unprotect(sealedText));
        }
        catch (Exception e) when (e is CryptographicException or FormatException or JsonException)
        {
            return null;
        }
    }

    public static LlmOpsException Refused(string why) => new(ErrorCode.PermissionDenied, why);
}
