namespace LlmOps.Training.Objectives;

/// <summary>What is made of a pair's log-probabilities. The formulas stand at <see cref="PreferenceLoss"/>.</summary>
public enum PreferenceObjective
{
    /// <summary>Direct preference optimisation (Rafailov et al. 2023).</summary>
    Sigmoid,

    /// <summary>Conservative DPO (Mitchell 2023): labels are wrong with probability ε.</summary>
    ConservativeSigmoid,

    /// <summary>Hinge loss on the margin (Zhao et al. 2023, SLiC-HF).</summary>
    Hinge,

    /// <summary>Identity preference optimisation (Azar et al. 2023), length-normalised as its authors confirmed to TRL.</summary>
    Identity,

    /// <summary>Robust DPO (Chowdhury et al. 2024): unbiased when labels are flipped with probability ε.</summary>
    Robust,

    /// <summary>Anchored preference optimisation, zero form (D'Oosterlinck et al. 2024): for chosen answers better than the model.</summary>
    AnchoredZero,

    /// <summary>Self-play preference optimisation with hard labels (Wu et al. 2024).</summary>
    SelfPlayHard,

    /// <summary>The sigmoid loss on means per token instead of sums.</summary>
    NormalizedSigmoid,

    /// <summary>Odds ratio preference optimisation (Hong et al. 2024); without a reference.</summary>
    OddsRatio,

    /// <summary>Contrastive preference optimisation (Xu et al. 2024); without a reference.</summary>
    Contrastive,

    /// <summary>Simple preference optimisation with a reference-free reward (Meng et al. 2024).</summary>
    Simple,
}

/// <summary>What is defined for which objective.</summary>
public static class PreferenceObjectives
{
    /// <summary>True when the objective compares with the starting model, so that its log-probabilities are needed.</summary>
    public static bool NeedsReference(this PreferenceObjective objective)
        => objective is not (PreferenceObjective.OddsRatio or PreferenceObjective.Contrastive or PreferenceObjective.Simple);

    /// <summary>True when the objective knows a share of wrong labels.</summary>
    public static bool AllowsLabelSmoothing(this PreferenceObjective objective) => objective is PreferenceObjective.ConservativeSigmoid or PreferenceObjective.Robust;

    /// <summary>True when the objective has a likelihood term of its own, so that adding another one would count it twice.</summary>
    public static bool HasLikelihoodTerm(this PreferenceObjective objective) => objective is PreferenceObjective.OddsRatio or PreferenceObjective.Contrastive;
}
