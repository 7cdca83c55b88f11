using System.Globalization;

namespace LlmOps.Engines.Inference.Constraints;

/// <summary>Numbers between two bounds, written without exponent: digits are compared from the left, as one does by hand.</summary>
internal sealed class NumberRange(TermPool pool, JsonTerms json, bool whole)
{
    public Term Between(Bound? low, Bound? high)
    {
        if (whole)
            (low, high) = (low is { } l ? Whole(l, 1) : null, high is { } h ? Whole(h, -1) : null);
        var shape = whole ? json.Magnitude : pool.Seq(json.Magnitude, json.Fraction);
        var positive = high is { Value: < 0 } ? pool.Fail : pool.And(shape, pool.And(
            low is { Value: >= 0 } least ? AtLeast(least) : pool.Not(pool.Fail),
            high is { } most ? AtMost(most) : pool.Not(pool.Fail)));
        // Below zero the distance from zero is compared, so the ends change places.
        var negative = low is { Value: >= 0 } ? pool.Fail : pool.And(shape, pool.And(
            high is { Value: <= 0 } top ? AtLeast(top with { Value = Math.Abs(top.Value) }) : pool.Not(pool.Fail),
            low is { } bottom ? AtMost(bottom with { Value = Math.Abs(bottom.Value) }) : pool.Not(pool.Fail)));
        return pool.Alt(positive, pool.Seq(json.Text("-"), negative));
    }

    // The whole numbers above 2.5 are those from 3 on; those above 3, excluded, from 4 on.
    private static Bound Whole(Bound bound, int step)
    {
        var value = step > 0 ? Math.Ceiling(bound.Value) : Math.Floor(bound.Value);
        return new Bound(value == bound.Value && bound.Exclusive ? value + step : value, false);
    }

    private Term AtLeast(Bound bound)
    {
        var (digits, fraction) = Digits(bound.Value);
        var ways = new List<Term>
        {
            pool.Seq(json.Digit, pool.Repeat(json.Digit, digits.Length, TermPool.Unlimited), AnyFraction),
            pool.Seq(Differing(digits, above: true), AnyFraction),
        };
        var equal = new List<Term>();
        if (!whole)
        {
            for (var i = 0; i < fraction.Length; i++)
                equal.Add(pool.Seq(json.Text("." + fraction[..i]), Beyond(fraction[i], above: true), Digits0));
            equal.Add(bound.Exclusive
                ? pool.Seq(json.Text("." + fraction), Zeros, json.Nonzero, Digits0)
                : fraction.Length > 0 ? pool.Seq(json.Text("." + fraction), Digits0) : AnyFraction);
        }
        else
        {
            equal.Add(pool.Empty);
        }
        ways.Add(pool.Seq(json.Text(digits), pool.Alt([.. equal])));
        return pool.Alt([.. ways]);
    }

    private Term AtMost(Bound bound)
    {
        var (digits, fraction) = Digits(bound.Value);
        var ways = new List<Term> { pool.Seq(Differing(digits, above: false), AnyFraction) };
        if (digits.Length > 1)
            ways.Add(pool.Seq(pool.Repeat(json.Digit, 1, digits.Length - 1), AnyFraction));
        var equal = new List<Term>();
        if (fraction.Length > 0 || !bound.Exclusive)
            equal.Add(pool.Empty);
        if (!whole)
        {
            for (var i = 0; i < fraction.Length; i++)
            {
                equal.Add(pool.Seq(json.Text("." + fraction[..i]), Beyond(fraction[i], above: false), Digits0));
                if (i > 0)
                    equal.Add(json.Text("." + fraction[..i]));
            }
            if (!bound.Exclusive)
                equal.Add(pool.Seq(json.Text("." + fraction), Zeros));
        }
        ways.Add(pool.Seq(json.Text(digits), pool.Alt([.. equal])));
        return pool.Alt([.. ways]);
    }

    private Term AnyFraction => whole ? pool.Empty : json.Fraction;

    private Term Digits0 => pool.Repeat(json.Digit, 0, TermPool.Unlimited);

    private Term Zeros => pool.Repeat(json.Text("0"), 0, TermPool.Unlimited);

    // As many digits, but at the first that differs a larger or smaller one.
    private Term Differing(string digits, bool above) => pool.Alt([.. Enumerable.Range(0, digits.Length).Select(i =>
        pool.Seq(json.Text(digits[..i]), Beyond(digits[i], above), pool.Repeat(json.Digit, digits.Length - i - 1, digits.Length - i - 1)))]);

    private Term Beyond(char digit, bool above) => above
        ? digit == '9' ? pool.Fail : pool.Bytes((char)(digit + 1), '9')
        : digit == '0' ? pool.Fail : pool.Bytes('0', (char)(digit - 1));

    private static (string Whole, string Fraction) Digits(decimal value)
    {
        var parts = value.ToString(CultureInfo.InvariantCulture).Split('.');
        return (parts[0], parts.Length > 1 ? parts[1].TrimEnd('0') : "");
    }
}
