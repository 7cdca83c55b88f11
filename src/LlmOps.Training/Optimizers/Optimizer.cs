using LlmOps.Training.Architectures;

namespace LlmOps.Training.Optimizers;

/// <summary>An update rule over one flat buffer of parameters. The result does not depend on the number of threads.</summary>
public abstract class Optimizer
{
    /// <summary>The rule of these options.</summary>
    /// <exception cref="ArgumentException">The rule is unknown or a constant is out of range.</exception>
    public static Optimizer Create(OptimizerOptions options, FlatParameters parameters)
    {
        options.Validate();
        if (!parameters.IsOnHost) return new DeviceOptimizer(parameters, options);
        return options.Kind switch
        {
            OptimizerKind.AdamW or OptimizerKind.Adam => new FusedAdam(parameters, options),
            OptimizerKind.Sgd => new StochasticGradientDescent(parameters, options),
            OptimizerKind.RmsProp => new RmsProp(parameters, options),
            OptimizerKind.Adafactor => new Adafactor(parameters, options),
            OptimizerKind.Lion => new Lion(parameters, options),
            _ => throw new ArgumentException($"The optimizer {options.Kind} is unknown."),
        };
    }

    /// <summary>Everything the rule remembers between steps, by name: a checkpoint holds exactly this.</summary>
    public abstract IReadOnlyList<(string Name, float[] Values)> State { get; }

    /// <summary>Brings <see cref="State"/> up to date before it is read, where the rule keeps it elsewhere.</summary>
    public virtual void FetchState()
    {
    }

    /// <summary>Takes over <see cref="State"/> after it was overwritten.</summary>
    public virtual void PutState()
    {
    }

    /// <summary>One update.</summary>
    /// <param name="step">Number of this update, from 1 (bias correction).</param>
    /// <param name="learningRate">η.</param>
    /// <param name="gradientScale">Factor on every gradient, from clipping.</param>
    public abstract void Step(int step, double learningRate, double gradientScale);
}
