using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using LlmOps.Lifecycle.Datasets;
using LlmOps.Lifecycle.Identity;
using LlmOps.Web.Api;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace LlmOps.Web.Tests.Api;

/// <summary>Whole bodies: programs read them, so their form is a promise.</summary>
public sealed class ErrorTests(WebProduct product)
{
    [Theory]
    [InlineData("/api/v1/models/none", HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "Model 'none' does not exist. Check the name, or list what is there.")]
    [InlineData("/api/v1/models/none/versions/3", HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "Model version 'none/3' does not exist. Check the name, or list what is there.")]
    [InlineData("/api/v1/nothing/here", HttpStatusCode.NotFound, "RESOURCE_DOES_NOT_EXIST", "GET /api/v1/nothing/here is no address of this server. See /docs/api for those that are.")]
    [InlineData("/api/v1/datasets?kind=pictures", HttpStatusCode.BadRequest, "BAD_REQUEST", "'pictures' is no value for 'kind'.")]
    [InlineData("/api/v1/models?take=many", HttpStatusCode.BadRequest, "BAD_REQUEST", "'many' is no value for 'Take'.")]
    [InlineData("/api/v1/search", HttpStatusCode.BadRequest, "BAD_REQUEST", "'q' is missing from the query string.")]
    public async Task Reading_WhatCannotBeRead_SaysWhy(string path, HttpStatusCode status, string code, string message)
    {
        using var program = await product.ProgramAsync(Roles.Viewer);
        using var answer = await program.GetAsync(new Uri(path, UriKind.Relative));
        await answer.EnsureErrorAsync(status, $$"""{"error_code":"{{code}}","message":"{{message}}","request_id":"ID"}""");
    }

    [Fact]
    public async Task WithoutASession_TheApi_SaysHowToGetIn()
    {
        using var visitor = product.Visitor();
        using var answer = await visitor.GetAsync(new Uri("/api/v1/models", UriKind.Relative));
        await answer.EnsureErrorAsync(HttpStatusCode.Unauthorized,
            """{"error_code":"UNAUTHENTICATED","message":"Sign in, or send an API token as 'Authorization: Bearer llmops_…'. Tokens are made under Settings.","request_id":"ID"}""");
    }

    [Fact]
    public async Task WithoutThePermission_TheApi_SaysWhoCanHelp()
    {
        var person = await product.PersonAsync(Roles.Viewer);
        using var browser = product.Visitor();
        using (await WebProduct.SignInAsync(browser, person.UserName!, WebProduct.Password)) { }
        using var answer = await browser.PostAsync(new Uri("/api/v1/pipelines/quickstart/runs", UriKind.Relative), null);
        await answer.EnsureErrorAsync(HttpStatusCode.Forbidden,
            $$"""{"error_code":"PERMISSION_DENIED","message":"{{person.UserName}} may not do this. An administrator can give a role that may, under Settings; a token can do only what its scopes say.","request_id":"ID"}""");
    }

    [Theory]
    [InlineData("""{"name":"a","pipeline":""", "The request body is not the JSON that this address takes: look at $.pipeline, line 1, byte 24.")]
    [InlineData("""{"name":"a"}""", "The request body is not the JSON that this address takes: 'cron' is missing.")]
    [InlineData("""{"name":"a","pipeline":"b","cron":null}""", "The request body is not the JSON that this address takes: 'Cron' may not be null.")]
    [InlineData("""{"name":"a","pipeline":"b","cron":5}""", "The request body is not the JSON that this address takes: look at $.cron, line 1, byte 36.")]
    public async Task ABodyThatDoesNotFit_IsRefusedWithItsPlace(string body, string message)
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await engineer.PostAsync(new Uri("/api/v1/schedules", UriKind.Relative), content);
        await answer.EnsureErrorAsync(HttpStatusCode.BadRequest, $$"""{"error_code":"BAD_REQUEST","message":"{{message}}","request_id":"ID"}""");
    }

    [Fact]
    public async Task AMissingBody_AndAnotherMediaType_AreRefused()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var empty = await engineer.PostAsync(new Uri("/api/v1/schedules", UriKind.Relative), null);
        await empty.EnsureErrorAsync(HttpStatusCode.BadRequest, """{"error_code":"BAD_REQUEST","message":"This address needs a JSON body.","request_id":"ID"}""");
        using var text = await engineer.PostAsync(new Uri("/api/v1/schedules", UriKind.Relative), new StringContent("x"));
        await text.EnsureErrorAsync(HttpStatusCode.UnsupportedMediaType, """{"error_code":"BAD_REQUEST","message":"/api/v1/schedules takes JSON. Send it with 'Content-Type: application/json'.","request_id":"ID"}""");
        using var method = await engineer.DeleteAsync(new Uri("/api/v1/schedules", UriKind.Relative));
        await method.EnsureErrorAsync(HttpStatusCode.MethodNotAllowed, """{"error_code":"BAD_REQUEST","message":"DELETE is no method of /api/v1/schedules. It takes GET, HEAD, POST.","request_id":"ID"}""");
    }

    [Fact]
    public async Task AnUploadOverTheLimit_IsRefusedBeforeItIsRead()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var content = new ClaimedLength(ImportDataset.LargestUpload + (2 << 20));
        using var answer = await engineer.PostAsync(new Uri("/api/v1/datasets/too-large/versions?kind=corpus", UriKind.Relative), content);
        await answer.EnsureErrorAsync(HttpStatusCode.RequestEntityTooLarge,
            """{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"The upload is larger than 512 MiB, the most this address takes. Nothing was stored.","request_id":"ID"}""");
    }

    [Fact]
    public async Task ADefinitionOverTheLimit_IsRefusedWhileItIsRead()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var content = new StreamContent(new MemoryStream(new byte[(1 << 20) + 1]));
        using var answer = await engineer.PostAsync(new Uri("/api/v1/pipelines", UriKind.Relative), content);
        await answer.EnsureErrorAsync(HttpStatusCode.RequestEntityTooLarge,
            """{"error_code":"REQUEST_LIMIT_EXCEEDED","message":"The upload is larger than 1 MiB, the most this address takes. Nothing was stored.","request_id":"ID"}""");
    }

    [Fact]
    public async Task AMistakeOfTheProgram_TellsAnIdAndNothingElse()
    {
        var http = new DefaultHttpContext { Response = { Body = new MemoryStream() } };
        await new ApiErrors(NullLogger<ApiErrors>.Instance).TryHandleAsync(http, new InvalidOperationException("Host=db;Password=secret"), default);
        http.Response.Body.Position = 0;
        var body = await new StreamReader(http.Response.Body).ReadToEndAsync();
        Assert.Equal(StatusCodes.Status500InternalServerError, http.Response.StatusCode);
        Assert.StartsWith("""{"error_code":"INTERNAL_ERROR","message":"This did not work, for a reason this address does not know. Try again; if it comes back, give the request id to whoever runs this server.","request_id":""", body, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", body, StringComparison.Ordinal);
    }

    /// <summary>Says that it is large and sends one byte, as a client that gives up does.</summary>
    private sealed class ClaimedLength : HttpContent
    {
        public ClaimedLength(long length)
        {
            Headers.ContentLength = length;
            Headers.ContentType = new MediaTypeHeaderValue("application/jsonl");
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => stream.WriteAsync(new byte[1]).AsTask();

        protected override bool TryComputeLength(out long length) => (length = Headers.ContentLength ?? 0) > 0;
    }
}
