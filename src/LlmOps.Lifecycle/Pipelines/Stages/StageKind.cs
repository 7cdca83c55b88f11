namespace LlmOps.Lifecycle.Pipelines.Stages;

/// <param name="Name">As in YAML; also the kind of the job. Never rename one.</param>
/// <param name="Group">For the diagram's colour: data, train, optimise, evaluate, release.</param>
/// <param name="Outputs">What later stages may refer to.</param>
/// <param name="IsHuman">Waits for a person instead of a worker.</param>
public sealed record StageKind(string Name, string Group, Type Parameters, IReadOnlyList<string> Outputs, string Description, bool IsHuman = false);

/// <summary>The closed list of stages.</summary>
public static class StageKinds
{
    public static IReadOnlyList<StageKind> All { get; } =
    [
        new("import-data", "data", typeof(ImportDataParameters), ["corpus", "instructions", "preferences", "unpaired", "images", "table"], "Reads JSONL rows, checks each, splits them by headword and freezes them as dataset versions."),
        new("import-checkpoint", "data", typeof(ImportCheckpointParameters), ["version"], "Checks a Hugging Face checkpoint whole and registers it as a version."),
        new("train-tokenizer", "data", typeof(TrainTokenizerParameters), ["tokenizer"], "Learns a byte-level BPE vocabulary from a corpus."),
        new("make-samples", "data", typeof(MakeSamplesParameters), ["samples"], "Draws pictures or points by a recipe and a seed, so that small models have something to learn from without a file."),
        new("pretrain", "train", typeof(PretrainParameters), ["version"], "Trains a Llama-shaped causal language model from scratch."),
        new("align", "train", typeof(AlignParameters), ["version"], "Preference optimisation on chosen and rejected answers: DPO and its relatives, ORPO, CPO, SimPO."),
        new("align-unpaired", "train", typeof(AlignUnpairedParameters), ["version"], "Preference optimisation on single answers marked desirable or not (KTO)."),
        new("train-reward", "train", typeof(TrainRewardParameters), ["version"], "Trains a reward model on chosen and rejected answers, with its accuracy on held-out pairs."),
        new("distill", "train", typeof(DistillParameters), ["version"], "Teaches a smaller version what a larger one with the same tokenizer predicts."),
        new("fine-tune", "train", typeof(FineTuneParameters), ["version"], "Supervised fine-tuning on completions, with LoRA merged at the end."),
        new("train-classifier", "train", typeof(TrainClassifierParameters), ["version"], "Trains a small convolutional classifier of pictures."),
        new("train-autoencoder", "train", typeof(TrainAutoencoderParameters), ["version"], "Trains an autoencoder of pictures, plain or variational."),
        new("train-diffusion", "train", typeof(TrainDiffusionParameters), ["version"], "Trains a denoising diffusion that draws pictures."),
        new("train-lstm", "train", typeof(TrainLstmParameters), ["version"], "Trains a language model of long short-term memory cells from scratch."),
        new("train-baseline", "train", typeof(TrainBaselineParameters), ["version"], "Fits a linear regression or a support vector machine with a Gaussian kernel, as a baseline for everything larger."),
        new("export-onnx", "optimise", typeof(ExportOnnxParameters), ["version", "variant"], "Builds the ONNX decoder with KV cache and proves that it computes what the checkpoint computes."),
        new("optimize-graph", "optimise", typeof(OptimizeGraphParameters), ["version", "variant"], "ONNX Runtime's offline graph optimisation, with start-up measured before and after."),
        new("quantize", "optimise", typeof(QuantizeParameters), ["version", "variants"], "Makes smaller variants: 8, 4 and 2 bits, 16-bit floats, with or without a look at the activations."),
        new("search-variant", "optimise", typeof(SearchVariantParameters), ["version", "variant", "variants"], "Tries quantizations until a stated goal cannot be reached any better, and keeps the best or all that are worth choosing from."),
        new("evaluate", "evaluate", typeof(EvaluateParameters), ["version", "runs"], "Measures quality, speed, size and memory of each variant, row by row."),
        new("evaluate-suite", "evaluate", typeof(EvaluateSuiteParameters), ["version", "runs"], "Runs a version of an evaluation suite on each variant; every row is stored as it finishes."),
        new("check-contamination", "evaluate", typeof(CheckContaminationParameters), ["verdict", "rows", "unchecked"], "Looks for the rows that are measured on in what the model was trained on, ancestors included; what was compared once is not compared again."),
        new("calibrate-judge", "evaluate", typeof(CalibrateJudgeParameters), ["calibration", "kappa"], "Asks a judge about answers that people have compared, and says how far it agrees with them."),
        new("gate", "evaluate", typeof(GateParameters), ["version", "variant", "decision"], "Judges the measurements by rules and picks the variant that goes on."),
        new("compare-runs", "evaluate", typeof(CompareRunsParameters), ["verdict", "candidate", "baseline", "reasons"], "Judges one evaluation run against another by rules, and says pass, fail or cannot tell without stopping the pipeline."),
        new("approve", "release", typeof(ApproveParameters), ["version", "variant", "approval"], "Waits until a second person approves, then moves the alias.", IsHuman: true),
        new("build-index", "release", typeof(BuildIndexParameters), ["index"], "Cuts documents into chunks and builds the keyword and vector index."),
        new("deploy", "release", typeof(DeployParameters), ["deployment"], "Serves the approved variant, as a chat or over a knowledge base."),
    ];

    public static StageKind? Find(string name) => All.FirstOrDefault(k => k.Name == name);

    public static StageKind Get(string name) => Find(name) ?? throw LlmOpsException.Invalid(
        $"'{name}' is no stage kind. Allowed: {string.Join(", ", All.Select(k => k.Name))}.");
}
