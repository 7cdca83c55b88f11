using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using LlmOps.Lifecycle.Identity;

namespace LlmOps.Web.Tests.Api;

public sealed class PlanningApiTests(WebProduct product)
{
    private static Uri At(string path) => new("/api/v1" + path, UriKind.Relative);

    [Fact]
    public async Task APlan_HasALineForEachPrecision_AndARecommendation()
    {
        using var viewer = await product.ProgramAsync(Roles.Viewer);
        var answer = await viewer.GetFromJsonAsync<JsonElement>(At("/plan?model=llama-3.1-8b&hardware=rtx-4090&users=8&context=8192"));
        var plan = answer.GetProperty("plan");
        Assert.Equal(["fp32", "bf16", "fp16", "int8", "int4-block32", "int4-block64"], plan.GetProperty("precisions").EnumerateArray().Select(p => p.GetProperty("precision").GetString()));
        var bf16 = plan.GetProperty("precisions")[1];
        Assert.Equal(16_060_522_496, bf16.GetProperty("weight_bytes").GetInt64());          // 2 · 8 030 261 248
        Assert.Equal(8_589_934_592, bf16.GetProperty("key_value_bytes").GetInt64());        // 32 · 2 · 8 · 128 · 8192 · 8 · 2
        Assert.False(bf16.GetProperty("fits").GetBoolean());
        var recommendation = plan.GetProperty("recommendation");
        Assert.Equal(("GpuEightBit", "int8", "cuda", 8), (recommendation.GetProperty("profile").GetString(), recommendation.GetProperty("precision").GetString(), recommendation.GetProperty("provider").GetString(), recommendation.GetProperty("batch").GetInt32()));
        Assert.Empty(answer.GetProperty("checks").EnumerateArray());
    }

    [Fact]
    public async Task AGivenShapeOnGivenFigures_IsPlannedToo()
    {
        using var viewer = await product.ProgramAsync(Roles.Viewer);
        var plan = (await viewer.GetFromJsonAsync<JsonElement>(At("/plan?layers=2&hidden_size=64&heads=4&key_value_heads=2&intermediate_size=160&vocab_size=304&tied=true&hardware=t4&memory_gib=1&bandwidth_gb_s=10&context=96"))).GetProperty("plan");
        Assert.Equal(1L << 30, plan.GetProperty("hardware").GetProperty("memory_bytes").GetInt64());
        Assert.Equal(10e9, plan.GetProperty("hardware").GetProperty("bandwidth_bytes_per_second").GetDouble());
        Assert.Equal(2 * 2 * 2 * 16 * 96 * 2, plan.GetProperty("precisions")[1].GetProperty("key_value_bytes").GetInt64());
    }

    [Theory]
    [InlineData("/plan?model=llama-3.1-8b&hardware=l4&user=3", "The planner has no 'user'. It takes version, model, layers, hidden_size, heads, key_value_heads, head_dim, intermediate_size, vocab_size, tied, hardware, memory_gib, bandwidth_gb_s, fp32_tflops, half_tflops, int8_tops, users, context, prompt, kv, min_speed.")]
    [InlineData("/plan?hardware=l4", "Name a version or a known model, or give layers, hidden_size, heads, intermediate_size and vocab_size.")]
    [InlineData("/plan?model=llama-3.1-8b&hardware=l4&kv=fp8", "'fp8' is no precision of the key/value cache. Write fp16 or fp32, or leave it out.")]
    [InlineData("/plan?model=llama-3.1-8b&hardware=l4&memory_gib=-1", "Nothing to plan: memory is 0; it has to be positive.")]
    public async Task AQuestionThatMakesNoSense_IsRefused_WithWhatItTakes(string path, string message)
    {
        using var viewer = await product.ProgramAsync(Roles.Viewer);
        using var answer = await viewer.GetAsync(At(path));
        await answer.EnsureErrorAsync(HttpStatusCode.BadRequest, JsonSerializer.Serialize(new { error_code = "INVALID_PARAMETER_VALUE", message, request_id = "ID" }, Lifecycle.Data.Json.Options));
    }

    [Fact]
    public async Task TheTrainingsOfAPipeline_AreEstimatedBeforeTheyStart()
    {
        using var viewer = await product.ProgramAsync(Roles.Viewer);
        var plans = await viewer.GetFromJsonAsync<JsonElement>(At("/plan/training?pipeline=tiny"));
        Assert.Equal(["pretrain", "align", "fine-tune"], plans.EnumerateArray().Select(p => p.GetProperty("stage").GetString()));
        var pretrain = plans[0].GetProperty("estimate");
        Assert.Equal(106_816, pretrain.GetProperty("parameters").GetInt64());               // 2 · (2·64·64 + 2·64·32 + 3·64·128) + 5·64 + 512·64
        Assert.Equal(4 * 106_816, pretrain.GetProperty("memory")[0].GetProperty("bytes").GetInt64());
        // The model of the later stages is known from the parameters of the one that makes it.
        Assert.Equal(106_816, plans[2].GetProperty("estimate").GetProperty("parameters").GetInt64());
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        const string yaml = "name: draft\nstages:\n  - kind: align\n    with: {version: nobody/1, preferences: none/1}\n";
        using var draft = await engineer.PostAsync(At("/plan/training?stage=align"), new StringContent(yaml));
        Assert.Equal(HttpStatusCode.NotFound, draft.StatusCode);
        using var forbidden = await viewer.PostAsync(At("/plan/training"), new StringContent(yaml));
        Assert.Equal(HttpStatusCode.Forbidden, forbidden.StatusCode);
    }

    [Fact]
    public async Task AnUnknownVersion_IsNotFound()
    {
        using var viewer = await product.ProgramAsync(Roles.Viewer);
        using var answer = await viewer.GetAsync(At("/plan?version=nobody/1&hardware=l4"));
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    [Fact]
    public async Task TheServersMachine_IsMeasured_AndPlannedWith()
    {
        using var engineer = await product.ProgramAsync(Roles.Engineer);
        using var measured = await engineer.PostAsync(At("/plan/machine"), null);
        Assert.Equal(HttpStatusCode.OK, measured.StatusCode);
        var bandwidth = (await measured.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("hardware").GetProperty("bandwidth_bytes_per_second").GetDouble();
        Assert.True(bandwidth > 1e8);
        var choices = await engineer.GetFromJsonAsync<JsonElement>(At("/plan/choices"));
        Assert.Equal(bandwidth, choices.GetProperty("this_machine").GetProperty("hardware").GetProperty("bandwidth_bytes_per_second").GetDouble());
        var plan = (await engineer.GetFromJsonAsync<JsonElement>(At("/plan?model=smollm2-135m"))).GetProperty("plan");
        Assert.Equal((bandwidth, "Measured"), (plan.GetProperty("hardware").GetProperty("bandwidth_bytes_per_second").GetDouble(), plan.GetProperty("hardware").GetProperty("source").GetString()));
    }
}
