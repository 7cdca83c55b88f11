using System.Globalization;
using LlmOps.Engines.Planning;
using LlmOps.Lifecycle.Identity;
using LlmOps.Lifecycle.Planning;
using LlmOps.Lifecycle.Registry;
using LlmOps.Web.Components.Shared;
using Microsoft.AspNetCore.Components;

namespace LlmOps.Web.Components.Pages.Planning;

/// <summary>The question as a form. Each change is told at once; what is left out shows what is taken instead.</summary>
public sealed partial class PlanForm
{
    private const string Own = "own";
    private static readonly string[] Sizes = ["layers", "hidden_size", "heads", "key_value_heads", "head_dim", "intermediate_size", "vocab_size"];
    private static readonly string[] Figures = ["memory_gib", "bandwidth_gb_s", "fp32_tflops", "half_tflops", "int8_tops"];
    private static readonly string[] Loads = ["users", "context", "prompt", "min_speed"];

    [Inject] private MeasureMachine Machines { get; set; } = null!;
    [CascadingParameter] public required Actor Actor { get; set; }

    [Parameter, EditorRequired] public FitQuestion Question { get; set; } = null!;
    [Parameter, EditorRequired] public IReadOnlyList<ModelRow> Models { get; set; } = [];
    [Parameter, EditorRequired] public MeasuredMachine? Machine { get; set; }
    /// <summary>Of the answer on show, when there is one.</summary>
    [Parameter] public ModelShape? Shape { get; set; }
    [Parameter] public Hardware? Hardware { get; set; }
    [Parameter] public EventCallback<FitQuestion> Changed { get; set; }
    [Parameter] public EventCallback Measured { get; set; }

    private string Chosen => Question.HasSizes ? Own : Question.Version ?? Question.Model ?? Own;

    /// <summary>The newest of each model, and the one in the address.</summary>
    private IReadOnlyList<string> Versions => [.. Models.Where(m => m.Newest > 0).Select(m => $"{m.Name}/{m.Newest}").Append(Question.Version).OfType<string>().Distinct()];

    private bool HasFigures => Figures.Any(f => Given(f) is not null);

    private string? Objection => Actor.Objection(Permission.RunPipelines);

    private Task ChooseModel(string name)
    {
        var bare = Question with { Version = null, Model = null, Layers = null, HiddenSize = null, Heads = null, KeyValueHeads = null, HeadDim = null, IntermediateSize = null, VocabSize = null, Tied = null };
        if (name != Own)
            return Changed.InvokeAsync(name.Contains('/', StringComparison.Ordinal) ? bare with { Version = name } : bare with { Model = name });
        // Own sizes begin with those on show.
        var from = Shape ?? KnownShapes.All[^1];
        return Changed.InvokeAsync(bare with
        {
            Layers = from.Layers, HiddenSize = from.HiddenSize, Heads = from.Heads, KeyValueHeads = from.KeyValueHeads, HeadDim = from.HeadDim, IntermediateSize = from.IntermediateSize, VocabSize = from.VocabSize, Tied = from.TiedEmbeddings,
        });
    }

    private Task ChooseMachine(string name) => Changed.InvokeAsync(Question with { Hardware = name, MemoryGib = null, BandwidthGbS = null, Fp32Tflops = null, HalfTflops = null, Int8Tops = null });

    private Task Set(string name, string? value) =>
        Changed.InvokeAsync(FitQuestion.Parse(Question.ToTexts().Where(t => t.Key != name).Select(t => (t.Key, t.Value)).Append((name, Checked(name, value)))));

    private async Task MeasureAsync()
    {
        await Machines.MeasureAsync(Actor);
        await Measured.InvokeAsync();
    }

    /// <summary>A field that holds no number counts as empty: the placeholder then says what is taken.</summary>
    private static string Checked(string name, string? value) => FitQuestion.Fields.First(f => f.Name == name).Type switch
    {
        FitFieldType.Integer => int.TryParse(value, CultureInfo.InvariantCulture, out _) ? value! : "",
        FitFieldType.Number => double.TryParse(value, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? value! : "",
        _ => value ?? "",
    };

    private string? Given(string name) => Question.ToTexts().GetValueOrDefault(name);

    private string? Standard(string name) => name switch
    {
        "memory_gib" when Hardware is { } h => Display.Short(h.MemoryBytes / (double)(1L << 30)),
        "bandwidth_gb_s" when Hardware is { } h => Display.Short(h.BandwidthBytesPerSecond / 1e9),
        "fp32_tflops" when Hardware is { } h => Display.Short(h.Fp32OperationsPerSecond / 1e12),
        "half_tflops" when Hardware is { } h => Display.Short(h.HalfOperationsPerSecond / 1e12),
        "int8_tops" when Hardware is { } h => Display.Short(h.Int8OperationsPerSecond / 1e12),
        "users" => "1",
        "context" => Shape is { } m ? Math.Min(2048, m.MaxContext).ToString(CultureInfo.InvariantCulture) : "2048",
        "prompt" => Math.Max(1, Math.Min(512, (Question.Context ?? Shape?.MaxContext ?? 2048) / 2)).ToString(CultureInfo.InvariantCulture),
        "min_speed" => "10",
        _ => null,
    };

    private static string Help(string name) => FitQuestion.Fields.First(f => f.Name == name).Help;

    private static string Label(string name) => name switch
    {
        "layers" => "Layers", "hidden_size" => "Width", "heads" => "Query heads", "key_value_heads" => "Key/value heads", "head_dim" => "Head width", "intermediate_size" => "MLP width", "vocab_size" => "Vocabulary",
        "memory_gib" => "Memory, GiB", "bandwidth_gb_s" => "Bandwidth, GB/s", "fp32_tflops" => "fp32, TFLOP/s", "half_tflops" => "fp16, TFLOP/s", "int8_tops" => "int8, TOP/s",
        "users" => "Users at once", "context" => "Context, tokens", "prompt" => "Prompt, tokens", "min_speed" => "Tokens/s for each",
        _ => name,
    };
}
