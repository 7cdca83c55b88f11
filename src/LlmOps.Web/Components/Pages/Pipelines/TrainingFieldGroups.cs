namespace LlmOps.Web.Components.Pages.Pipelines;

/// <summary>The questions that a training's many parameters answer, so that a form can ask them one after the other.</summary>
public static class TrainingFieldGroups
{
    public const string What = "What is trained on what", HowLong = "How long", Steps = "How each step changes the weights", Adapter = "Adapter", Memory = "Memory and precision", Keeping = "Checkpoints, samples and seed";

    /// <summary>As the form shows them.</summary>
    public static IReadOnlyList<string> Order { get; } = [What, HowLong, Steps, Adapter, Memory, Keeping];

    /// <summary>Where a group stands; forms without groups keep their order.</summary>
    public static int Place(string? group) => Order.Index().Where(g => g.Item == group).Select(g => g.Index).FirstOrDefault(-1);

    /// <summary>Those that a person looks at every time.</summary>
    public static bool IsOpen(string group) => group is What or HowLong;

    public static string Of(string field) => field switch
    {
        "epochs" or "max_steps" or "max_seconds" or "batch_size" or "evaluate_every" or "held_out_examples" or "patience" => HowLong,
        "learning_rate" or "optimizer" or "momentum" or "nesterov" or "weight_decay" or "l1" or "schedule" or "warmup_fraction" or "final_fraction" or "max_gradient_norm" or "ema_decay" => Steps,
        "dropout" or "neftune_alpha" or "label_smoothing" => Steps,
        "method" or "adapter" or "target_modules" => Adapter,
        _ when field.StartsWith("lora_", StringComparison.Ordinal) || field.StartsWith("adapter_", StringComparison.Ordinal) => Adapter,
        "micro_batch" or "precision" or "device" or "packing" or "max_length" or "recompute_activations" or "logit_chunk" => Memory,
        "checkpoint_every" or "keep_checkpoints" or "sample_every" or "resume_from" or "seed" => Keeping,
        _ => What,
    };
}
