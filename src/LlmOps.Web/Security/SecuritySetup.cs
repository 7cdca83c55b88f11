using LlmOps.Lifecycle;
using LlmOps.Lifecycle.Data;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Api;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.Cookies;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.AspNetCore.Identity;

namespace LlmOps.Web.Security;

public static class SecuritySetup
{
    private const string SessionOrToken = "session-or-token";

    /// <summary>Sessions for people, tokens for programs; nothing answers without one of them unless it says so itself.</summary>
    public static void AddPeopleAndTokens(this IServiceCollection services)
    {
        var authentication = services.AddAuthentication(o => { o.DefaultScheme = SessionOrToken; o.DefaultSignInScheme = IdentityConstants.ApplicationScheme; })
            .AddPolicyScheme(SessionOrToken, null, o => o.ForwardDefaultSelector = http => TokenAuthentication.Applies(http) ? TokenAuthentication.Scheme : IdentityConstants.ApplicationScheme)
            .AddScheme<AuthenticationSchemeOptions, TokenAuthentication>(TokenAuthentication.Scheme, null);
        // All of Identity's cookies: ending a session signs out of every one of them, whether it was ever used or not.
        authentication.AddIdentityCookies();
        services.ConfigureApplicationCookie(Session);
        services.AddIdentityCore<Person>(o =>
            {
                o.Lockout.MaxFailedAccessAttempts = 10;
                o.Lockout.DefaultLockoutTimeSpan = TimeSpan.FromMinutes(5);
            })
            .AddRoles<IdentityRole<Guid>>().AddEntityFrameworkStores<LlmOpsDb>().AddSignInManager();
        services.Configure<SecurityStampValidatorOptions>(o => o.ValidationInterval = SessionRevalidation.Interval);
        services.AddPermissionPolicies();
        services.AddAntiforgery(o => o.Cookie.Name = "llmops-form");
        services.AddScoped<AuthenticationStateProvider, SessionRevalidation>();
        services.AddScoped<CurrentActor>();
        services.AddCascadingValue(s =>
        {
            // The state is set before the first component renders, in a request as in a circuit, so this never waits.
            var state = s.GetRequiredService<AuthenticationStateProvider>().GetAuthenticationStateAsync();
            return state.GetAwaiter().GetResult().User.ToActor();
        });
    }

    private static void Session(CookieAuthenticationOptions options)
    {
        options.Cookie.Name = "llmops-session";
        options.Cookie.HttpOnly = true;
        options.Cookie.SameSite = SameSiteMode.Lax;
        options.ExpireTimeSpan = TimeSpan.FromDays(14);
        options.LoginPath = "/account/sign-in";
        options.ReturnUrlParameter = "returnUrl";
        options.Events.OnRedirectToLogin = context => TokenAuthentication.IsForPrograms(context.Request.Path)
            ? ApiErrors.WriteAsync(context.HttpContext, ErrorCode.Unauthenticated, "Sign in, or send an API token as 'Authorization: Bearer llmops_…'. Tokens are made under Settings.")
            : RedirectAsync(context);
        options.Events.OnRedirectToAccessDenied = context => ApiErrors.WriteForbiddenAsync(context.HttpContext);
    }

    private static Task RedirectAsync(RedirectContext<CookieAuthenticationOptions> context)
    {
        context.Response.Redirect(context.RedirectUri);
        return Task.CompletedTask;
    }
}
