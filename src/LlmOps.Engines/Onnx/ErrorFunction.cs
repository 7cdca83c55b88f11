namespace LlmOps.Engines.Onnx;

/// <summary>The error function, to about 1e-15: its Taylor series near zero, the continued fraction of its complement beyond (Abramowitz and Stegun 7.1.5, 7.1.14).</summary>
internal static class ErrorFunction
{
    private const double Border = 2.5;
    private const int Terms = 60;

    public static double Of(double x)
    {
        var far = Math.Abs(x);
        if (far > 6)
            return Math.Sign(x); // the complement is below 2e-17
        if (far > Border)
        {
            var fraction = far;
            for (var n = Terms; n >= 1; n--)
                fraction = far + n / 2.0 / fraction;
            return Math.Sign(x) * (1 - Math.Exp(-far * far) / Math.Sqrt(Math.PI) / fraction);
        }
        double power = x, sum = x;
        for (var n = 1; n <= Terms && Math.Abs(power) > 1e-18; n++)
        {
            power *= -x * x / n;
            sum += power / (2 * n + 1);
        }
        return 2 / Math.Sqrt(Math.PI) * sum;
    }
}
