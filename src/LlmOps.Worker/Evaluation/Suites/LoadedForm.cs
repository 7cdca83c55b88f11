using LlmOps.Engines.Evaluation;
using LlmOps.Engines.Inference;
using LlmOps.Engines.Text;
using LlmOps.Lifecycle.Evaluation.Suites;

namespace LlmOps.Worker.Evaluation.Suites;

/// <summary>A form of a version with what its tasks need of it, each loaded when the first task asks for it.</summary>
public sealed class LoadedForm(ModelForm form, TaskResources resources) : IDisposable
{
    private readonly Lazy<Tokenizer> tokenizer = new(() => Tokenizer.Load(form.Folder));
    private readonly Lazy<ICausalModel> model = new(form.Load);
    // Without a cache of prefixes: what an answer is may not depend on which rows came before it, or a run that went on would differ from one that was never stopped.
    private readonly Lazy<TextGenerator> generator = new(() => TextGenerator.Load(form.Folder, new SessionSettings { PrefixCacheBytes = 0 }));

    public TaskMeasure Measure(SuiteTask task, SuiteRows rows, int repeat)
    {
        var text = new TaskText(task, tokenizer.Value, PromptFormat.Load(form.Folder, tokenizer.Value), rows.Shots);
        return task.Kind switch
        {
            "perplexity" => new PerplexityMeasure(task, text, model.Value),
            "multiple-choice" or "classification" => new ChoiceMeasure(task, text, model.Value),
            "preference" => new PreferenceMeasure(task, text, model.Value),
            "generation" => new GenerationMeasure(task, text, Answers(), repeat),
            CodeKind.Name => new CodeMeasure(task, text, Answers(), resources.Programs, repeat),
            RagKind.Name => new RagMeasure(task, text, Answers(), resources.Index(task.Knowledge!), repeat),
            LatencyKind.Name => new LatencyMeasure(task, text, form),
            JudgeKinds.Pairwise or JudgeKinds.Score => new JudgeMeasure(task, text, Answers(), resources.Judge(task.Judge!), repeat),
            SafetyKind.Name => new SafetyMeasure(task, text, Answers(), repeat),
            _ => throw new InvalidOperationException($"No worker measures tasks of kind '{task.Kind}'."),
        };
    }

    private AnswerSource Answers() => new(() => model.Value, tokenizer.Value, form.IsCheckpoint ? null : () => generator.Value);

    public void Dispose()
    {
        if (model.IsValueCreated)
            model.Value.Dispose();
        if (generator.IsValueCreated)
            generator.Value.Dispose();
    }
}
