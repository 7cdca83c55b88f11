using LlmOps.Web.Components;
using LlmOps.Web.Components.Shared;

var builder = WebApplication.CreateBuilder(args);
builder.Services.AddInterface();
builder.Services.AddAuthentication("session").AddCookie("session", o => o.LoginPath = "/account/sign-in");
builder.Services.AddAuthorization();

var app = builder.Build();
app.UseStatusCodePagesWithReExecute("/not-found", createScopeForStatusCodePages: true);
app.UseAuthentication();
app.UseAuthorization();
app.UseAntiforgery();
app.MapStaticAssets();
app.MapRazorComponents<App>().AddInteractiveServerRenderMode();
app.Run();

public partial class Program;
