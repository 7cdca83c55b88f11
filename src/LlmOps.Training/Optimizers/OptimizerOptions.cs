using System.Text.Json.Serialization;

namespace LlmOps.Training.Optimizers;

/// <summary>Update rules.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<OptimizerKind>))]
public enum OptimizerKind
{
    /// <summary>Adam with decoupled weight decay (Loshchilov and Hutter 2019).</summary>
    AdamW,
    /// <summary>Adam (Kingma and Ba 2015); weight decay is an L2 penalty.</summary>
    Adam,
    /// <summary>Stochastic gradient descent, with momentum and Nesterov's form of it.</summary>
    Sgd,
    /// <summary>Gradients divided by their running root mean square (Hinton 2012).</summary>
    RmsProp,
    /// <summary>Second moments of matrices kept as a row and a column (Shazeer and Stern 2018).</summary>
    Adafactor,
    /// <summary>Sign of an interpolated momentum (Chen et al. 2023); decoupled weight decay.</summary>
    Lion,
}

/// <summary>An update rule and its constants.</summary>
/// <param name="Kind">The rule.</param>
public sealed record OptimizerOptions(OptimizerKind Kind = OptimizerKind.AdamW)
{
    /// <summary>Decay rate of the first moment (Adam, AdamW, Lion).</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay rate of the second moment (Adam, AdamW), of the squared gradient (RMSprop's α) or of the momentum (Lion).</summary>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Added to the denominator (Adam, AdamW, RMSprop).</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Momentum of SGD and RMSprop.</summary>
    public double Momentum { get; init; }

    /// <summary>Nesterov's form of SGD's momentum.</summary>
    public bool Nesterov { get; init; }

    /// <summary>Decay λ of matrices: decoupled (AdamW, Lion, Adafactor), otherwise λ·w added to the gradient. Norm scales and biases never decay.</summary>
    public double WeightDecay { get; init; }

    /// <summary>L1 penalty of matrices: its sign(w) multiple is added to the gradient.</summary>
    public double L1 { get; init; }

    /// <summary>Refuses what cannot be.</summary>
    /// <exception cref="ArgumentException">A constant is out of range; the message names it.</exception>
    internal void Validate()
    {
        Check.Within(Beta1, 0, 1);
        Check.Within(Beta2, 0, 1);
        Check.Above(Epsilon, 0);
        Check.Within(Momentum, 0, 1);
        Check.Within(WeightDecay, 0, 1);
        Check.Within(L1, 0, 1);
        if (Nesterov && (Kind != OptimizerKind.Sgd || Momentum == 0)) throw new ArgumentException("Nesterov is set; it is a form of SGD's momentum and needs Momentum above 0.");
    }
}
