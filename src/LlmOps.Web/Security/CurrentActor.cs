using LlmOps.Lifecycle.Identity;
using Microsoft.AspNetCore.Components.Authorization;

namespace LlmOps.Web.Security;

/// <summary>Who looks at this page. Use cases get it as a parameter.</summary>
public sealed class CurrentActor(AuthenticationStateProvider session)
{
    public async ValueTask<Actor> GetAsync() => (await session.GetAuthenticationStateAsync()).User.ToActor();
}
