using LlmOps.Engines.Text.Augmentation;

namespace LlmOps.Lifecycle.Pipelines.Stages;

/// <summary>Parameters of a stage. The properties of the record are the YAML schema, the form, the job's spec and the report.</summary>
public abstract record StageParameters
{
    /// <summary>What single fields cannot say: values that do not fit together. Found when the pipeline is checked, not when the stage runs.</summary>
    public virtual IEnumerable<FieldProblem> Problems() => [];
}

public sealed record ImportDataParameters : StageParameters
{
    [Field("Folder with the JSONL files, relative to the pipeline's own folder.", Required = true)]
    public string Source { get; init; } = "";
    [Field("JSONL file of texts ({\"text\",\"headword\"}); empty for none.")]
    public string CorpusFile { get; init; } = "corpus.jsonl";
    [Field("JSONL file of prompts with completions, or conversations; empty for none.")]
    public string InstructionsFile { get; init; } = "instructions.jsonl";
    [Field("JSONL file of preference pairs; empty for none.")]
    public string PreferencesFile { get; init; } = "preferences.jsonl";
    [Field("JSONL file of answers marked true or false ({\"prompt\",\"completion\",\"label\"}); empty for none.")]
    public string UnpairedFile { get; init; } = "";
    [Field("JSONL file of grey pictures ({\"pixels\": base64 of a PNG file or of a square of grey bytes, \"label\"}); empty for none.")]
    public string ImagesFile { get; init; } = "";
    [Field("JSONL file of rows of numbers ({\"features\": [numbers], \"target\"}); empty for none.")]
    public string TableFile { get; init; } = "";
    [Field("Name prefix of the datasets that are made.", Required = true)]
    public string Name { get; init; } = "";
    [Field("What to do with a row that cannot be read: refuse the whole import, or set the row aside and count it.", Allowed = ["refuse", "quarantine"])]
    public string OnBadRow { get; init; } = "refuse";
    [Field("Licence of the data, as an SPDX name or a sentence.")]
    public string Licence { get; init; } = "unknown";
}

public sealed record ImportCheckpointParameters : StageParameters
{
    [Field("Folder with config.json, safetensors and tokenizer, relative to the pipeline's own folder.", Required = true)]
    public string Source { get; init; } = "";
    [Field("Registered model that gets the new version.", Required = true)]
    public string Model { get; init; } = "";
    [Field("Licence of the weights, as an SPDX name or a sentence.")]
    public string Licence { get; init; } = "unknown";
    [Field("What the checkpoint is and where it comes from.")]
    public string Description { get; init; } = "";
}

public sealed record TrainTokenizerParameters : StageParameters
{
    [Field("Corpus to learn from.", Required = true, Reference = true)]
    public string Corpus { get; init; } = "";
    [Field("Instruction pairs whose texts are added, so that the house style gets good tokens.", Reference = true)]
    public string Instructions { get; init; } = "";
    [Field("Number of tokens.", Unit = "tokens", Min = 300, Max = 65536)]
    public int VocabularySize { get; init; } = 3072;
}

public sealed record PretrainParameters : TrainingParameters
{
    public PretrainParameters() => (LearningRate, Epochs, WeightDecay) = (3e-3, 2, 0.1);

    [Field("Corpus to train on.", Required = true, Reference = true)]
    public string Corpus { get; init; } = "";
    [Field("Tokenizer artifact.", Required = true, Reference = true)]
    public string Tokenizer { get; init; } = "";
    [Field("Registered model that gets the new version.", Required = true)]
    public string Model { get; init; } = "";
    [Field("Width of the residual stream.", Min = 32, Max = 4096)]
    public int HiddenSize { get; init; } = 192;
    [Field("Decoder layers.", Min = 1, Max = 64)]
    public int Layers { get; init; } = 6;
    [Field("Attention heads.", Min = 1, Max = 64)]
    public int Heads { get; init; } = 4;
    [Field("Key/value heads (grouped-query attention); divides the heads.", Min = 1, Max = 64)]
    public int KvHeads { get; init; } = 2;
    [Field("Width of the gated MLP.", Min = 32, Max = 16384)]
    public int IntermediateSize { get; init; } = 512;
    [Field("Longest sequence.", Unit = "tokens", Min = 32, Max = 8192)]
    public int ContextLength { get; init; } = 128;
    [Field("Share of the embeddings and of each block's output that is set to zero in training.", Min = 0, Max = 0.9)]
    public double Dropout { get; init; }

    public override IEnumerable<FieldProblem> Problems()
    {
        foreach (var problem in base.Problems())
            yield return problem;
        if (HiddenSize % Heads != 0)
            yield return new("heads", $"{Heads} heads do not divide a hidden_size of {HiddenSize}.");
        else if (HiddenSize / Heads % 16 != 0)
            yield return new("heads", $"each head would be {HiddenSize / Heads} wide; the exported graph needs a multiple of 16.");
        if (Heads % KvHeads != 0)
            yield return new("kv_heads", $"{KvHeads} key/value heads do not divide {Heads} heads.");
    }
}

public sealed record FineTuneParameters : TrainingParameters
{
    public FineTuneParameters() => (LearningRate, Epochs, BatchSize) = (4e-3, 2, 32);

    [Field("Version to start from.", Required = true, Reference = true)]
    public string Version { get; init; } = "";
    [Field("Instructions or a corpus to learn from.", Required = true, Reference = true)]
    public string Instructions { get; init; } = "";
    [Field("LoRA adapters merged at the end, or all weights.", Allowed = ["lora", "full"])]
    public string Method { get; init; } = "lora";
    [Field("Rank of the adapters.", Min = 1, Max = 512)]
    public int LoraRank { get; init; } = 16;
    [Field("Scale of the adapters: alpha ÷ rank.", Min = 1, Max = 1024)]
    public int LoraAlpha { get; init; } = 32;
    [Field("Scale the adapters by alpha ÷ √rank (rsLoRA), which keeps their size when the rank grows.")]
    public bool RankStabilised { get; init; }
    [Field("Train a length per output beside the adapters' direction (DoRA).")]
    public bool Dora { get; init; }
    [Field("Share of the adapters' input that is set to zero in training.", Min = 0, Max = 0.9)]
    public double LoraDropout { get; init; }
    [Field("Share of the embeddings and of each block's output that is set to zero in training.", Min = 0, Max = 0.9)]
    public double Dropout { get; init; }
    [Field("How examples are put into rows: one in each, or several by best fit that do not see each other. Saves the time that padding costs.", Allowed = ["none", "bfd"])]
    public string Packing { get; init; } = "none";
    [Field("Learn only the assistant's turns of a conversation; otherwise all of it.")]
    public bool AssistantOnly { get; init; } = true;
    [Field("Noise on the embeddings while training (NEFTune); 5 to 15 are usual, 0 for none.", Min = 0, Max = 999)]
    public double NeftuneAlpha { get; init; }
    [Field("Share of the probability that the target spreads over the whole vocabulary; 0 for none.", Min = 0, Max = 0.99)]
    public double LabelSmoothing { get; init; }
    [Field("What to do with training rows that are, word by word or nearly, among the held-out ones: say so, do not train, or leave them out.", Allowed = ["warn", "refuse", "drop"])]
    public string Leakage { get; init; } = "warn";
    [Field("Changes of what examples are asked with, other ones in each epoch: character-noise, word-noise, word-dropout, synonyms or paraphrase with a rate, such as 'word-dropout 0.1'.")]
    public IReadOnlyList<string> Augmentation { get; init; } = [];
    [Field("File of synonyms, relative to the pipeline's own folder; on each line a word, a colon and what may stand for it, divided by commas.")]
    public string Synonyms { get; init; } = "";
    [Field("Templates for paraphrase, with {prompt} in the place of the question.")]
    public IReadOnlyList<string> Paraphrases { get; init; } = [];

    public override IEnumerable<FieldProblem> Problems() => [.. base.Problems(), .. AugmentationProblems()];

    private IEnumerable<FieldProblem> AugmentationProblems()
    {
        foreach (var text in Augmentation)
        {
            var problem = AugmentationText.TryParse(text, out var rule);
            if (problem is not null)
                yield return new("augmentation", problem);
            else if (rule!.Change == TextChange.Synonyms && Synonyms.Length == 0)
                yield return new("synonyms", "synonyms are to be used, but no file of them is named.");
            else if (rule.Change == TextChange.Paraphrase && Paraphrases.Count == 0)
                yield return new("paraphrases", "questions are to be paraphrased, but there is no template.");
        }
        foreach (var template in Paraphrases.Where(t => !t.Contains(TextAugmentation.Question, StringComparison.Ordinal)))
            yield return new("paraphrases", $"'{template}' has no {TextAugmentation.Question}: the question would be lost.");
    }
}
