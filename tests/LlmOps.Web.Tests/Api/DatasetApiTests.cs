using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using LlmOps.Lifecycle.Identity;

namespace LlmOps.Web.Tests.Api;

public sealed class DatasetApiTests(WebProduct product)
{
    private static string Rows(int count) => string.Join('\n', Enumerable.Range(0, count).Select(i => $$"""{"prompt":"Define w{{i}}.","completion":"A word.","headword":"w{{i}}"}"""));

    [Fact]
    public async Task Import_TakesTheRawBody_AndRowsComeBack()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var made = await engineer.PostAsync(new Uri("/api/v1/datasets/api-raw/versions?kind=instruction&licence=MIT", UriKind.Relative), new StringContent(Rows(50)));
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        Assert.Equal("/api/v1/datasets/api-raw/versions/1", made.Headers.Location?.OriginalString);
        var version = await made.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal(50, version.GetProperty("train_rows").GetInt32() + version.GetProperty("held_out_rows").GetInt32());
        var rows = await engineer.GetFromJsonAsync<JsonElement>("/api/v1/datasets/api-raw/versions/1/rows?split=train&take=2");
        Assert.Equal(2, rows.GetProperty("items").GetArrayLength());
        Assert.Equal(version.GetProperty("train_rows").GetInt32(), rows.GetProperty("total").GetInt32());
        Assert.Equal("A word.", rows.GetProperty("items")[0].GetProperty("completion").GetString());
    }

    [Fact]
    public async Task Import_TakesTheFileOfAForm_AndTheSameRowsAddNoVersion()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        for (var i = 0; i < 2; i++)
        {
            using var form = new MultipartFormDataContent { { new StringContent("a note"), "note" }, { new ByteArrayContent(Encoding.UTF8.GetBytes(Rows(20))), "file", "rows.jsonl" } };
            using var made = await engineer.PostAsync(new Uri("/api/v1/datasets/api-form/versions?kind=instruction", UriKind.Relative), form);
            Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        }
        var versions = await engineer.GetFromJsonAsync<JsonElement>("/api/v1/datasets/api-form/versions");
        Assert.Equal(1, versions.GetArrayLength());
    }

    [Fact]
    public async Task Import_RefusesWhole_WithLineAndReason_OrSetsBadRowsAside()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        var rows = Rows(20) + "\n{\"prompt\":\"no completion\"}\n";
        using var refused = await engineer.PostAsync(new Uri("/api/v1/datasets/api-bad/versions?kind=instruction", UriKind.Relative), new StringContent(rows));
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        var error = await refused.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal("INVALID_PARAMETER_VALUE", error.GetProperty("error_code").GetString());
        Assert.StartsWith("Import of api-bad refused, nothing was stored: 1 of 21 rows cannot be used. Line 21: ", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await engineer.GetAsync(new Uri("/api/v1/datasets/api-bad/versions", UriKind.Relative))).StatusCode);

        using var aside = await engineer.PostAsync(new Uri("/api/v1/datasets/api-bad/versions?kind=instruction&on_bad_row=quarantine", UriKind.Relative), new StringContent(rows));
        Assert.Equal(1, (await aside.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("quarantined_rows").GetInt32());
    }

    [Theory]
    [InlineData("?kind=pictures", "'kind' is one of corpus, instruction, preference, unpaired, image, table, not 'pictures'.")]
    [InlineData("", "'kind' is one of corpus, instruction, preference, unpaired, image, table.")]
    [InlineData("?kind=corpus&on_bad_row=ignore", "'on_bad_row' is one of refuse, quarantine, not 'ignore'.")]
    public async Task Import_ListsTheWordsItTakes(string query, string message)
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var answer = await engineer.PostAsync(new Uri("/api/v1/datasets/api-words/versions" + query, UriKind.Relative), new StringContent("x"));
        await answer.EnsureErrorAsync(HttpStatusCode.BadRequest, $$"""{"error_code":"INVALID_PARAMETER_VALUE","message":"{{message}}","request_id":"ID"}""");
    }
}
