using System.Globalization;
using System.Runtime.CompilerServices;

namespace LlmOps.Training;

/// <summary>Checks options; messages name the option, its value and what is allowed.</summary>
internal static class Check
{
    public static void AtLeast(int value, int minimum, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (value < minimum) throw new ArgumentException($"{name} is {value}; it must be at least {minimum}.");
    }

    public static void Above(double value, double minimum, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (!(value > minimum) || !double.IsFinite(value)) throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"{name} is {value}; it must be above {minimum}."));
    }

    public static void Within(double value, double low, double below, [CallerArgumentExpression(nameof(value))] string name = "")
    {
        if (!(value >= low && value < below)) throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"{name} is {value}; it must be at least {low} and below {below}."));
    }
}
