using LlmOps.Engines.Evaluation.Generation;

namespace LlmOps.Engines.Tests.Evaluation.Generation;

/// <summary>
/// Texts and values of rouge_score's own tests, which were taken from runs of ROUGE-1.5.5: rouge/rouge_scorer_test.py and rouge/testdata
/// of github.com/google-research/google-research.
/// </summary>
public sealed class RougeTests
{
    private const string Target0 = "ZfbCUIUuePaiLVUlCaUXxkpu XPeWing tUHfPMuZ',-Xd Y BrUgVJing M-HV.-DgdDaY.rFDJCRing Ht-LM EKBDXkME,yz'RBr q'wtion wIojNbN wL,b .a-'XdQggyFl jB-RPP'iyOIcUxer tKM L";
    private const string Target1 = "KsJdPByEtAor fE-Qg Dpdbring cw-WeFyu vC MoBL Xdn g wkvcEiGvKtion BDFhrpMtion psing sbKao Q m qiing LMmer HqqLFXe,XPY,J XsurkMer ,ed nB'wH'bWVHjWFEing tQ.saefZwJtKrTlixYpMMsJing UCAPwNHeYVjDing c T BUySKtion gMPfJpwGw p'NvxAoping eu pBwMBKV'I DNxqelhu,PHPxDEq,mtion SN";
    private const string Target2 = "NhETebUbBk'er WOvoHMTjSRizKgH'vHiing Xu,hWxfs VkNE QhgKiLHE -HidivzoM.dO anhtion jbLQiSGDTCsuhREebUaKM dv J dVN tmbOT";
    private const string Target3 = "vMR HDm,xOAetion D,tion HJtodT.mHl UIv-p VjWH'BdyWjnfGU-OjT aEMdFICyLWfQMtion wEMfdOKing AwkeKbO 'DxqNOHBH qKtVvm OYJl mM";
    private const string Prediction0 = "rFDJCRtion Ht-LM EKtDXkME,yz'RBr q'wer wrojNbN wL,b .a-'XdQggyFl jB-RPP'iyOIcUxi";
    private const string Prediction1 = "n cw-WeFyu vC MoBL Xdn g wkvcEiGvKtion BDFhrpMer pstion sbKao Q m qier LMmed HqqLFXe,XPY,J XsurkMeo ,ed nB'wH'bWVHjWFEer tQ.saefZwJtKrTlixYpMMNJtion UCAPwNHeYVjD";
    private const string Prediction2 = "xfs VkJE QhgKiLHE -HidivzoM.dO anhing jbLQiSGDTCsuhREebUaKM dv J";
    private const string Prediction3 = "VjWH'BdyWjnfGU-OjTNaEMdFICyLWfQMing wEMfdOKijg AwkeKbO 'DxqNO";

    [Theory]
    [InlineData(0, 1, false, 0.40741, 0.68750, 0.51163)]
    [InlineData(1, 1, false, 0.40476, 0.65385, 0.50000)]
    [InlineData(0, 1, true, 0.40741, 0.68750, 0.51163)]
    [InlineData(1, 1, true, 0.42857, 0.69231, 0.52941)]
    [InlineData(0, 2, false, 0.30769, 0.53333, 0.39024)]
    [InlineData(1, 2, false, 0.29268, 0.48000, 0.36364)]
    [InlineData(0, 2, true, 0.30769, 0.53333, 0.39024)]
    [InlineData(1, 2, true, 0.29268, 0.48000, 0.36364)]
    public void N_AgreesWithRouge155(int pair, int n, bool stem, double recall, double precision, double f) => Equal(Rouge.N(pair == 0 ? Prediction0 : Prediction1, [pair == 0 ? Target0 : Target1], n, stem), precision, recall, f);

    [Theory]
    [InlineData(0, 0.40741, 0.68750, 0.51163)]
    [InlineData(1, 0.40476, 0.65385, 0.50000)]
    public void L_AgreesWithRouge155(int pair, double recall, double precision, double f) => Equal(Rouge.L(pair == 0 ? Prediction0 : Prediction1, [pair == 0 ? Target0 : Target1]), precision, recall, f);

    [Fact]
    public void Lsum_AgreesWithRouge155() =>
        Equal(Rouge.Lsum(string.Join('\n', Prediction0, Prediction1, Prediction2, Prediction3), [string.Join('\n', Target0, Target1, Target2, Target3)], stem: true), 0.66667, 0.36538, 0.47205);

    [Fact]
    public void Lsum_TakesTheUnionOverSentences()
    {
        // The example of section 3.2 of the paper.
        Equal(Rouge.Lsum("w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5", ["w1 w2 w3 w4 w5"]), 0.4, 0.8, 0.53333);
        Assert.Equal(default, Rouge.Lsum("", ["w1 w2 w3 w4 w5"]));
        Assert.Equal(default, Rouge.Lsum("w1", [""]));
        Assert.Equal(default, Rouge.Lsum("/", ["w1 w2 w3 w4 w5"]));
    }

    [Fact]
    public void SmallCases_AgreeWithTheTestsOfRougeScore()
    {
        Equal(Rouge.N("testing", ["testing one two"], 1), 1, 1 / 3.0, 0.5);
        Equal(Rouge.N("testing one", ["testing one two"], 2), 1, 0.5, 2 / 3.0);
        Equal(Rouge.L("testing one", ["testing one two"]), 1, 2 / 3.0, 0.8);
        Equal(Rouge.L("testing two", ["testing one two"]), 1, 2 / 3.0, 0.8);
        Assert.Equal(default, Rouge.N("", ["testing one two"], 1));
        Assert.Equal(default, Rouge.L("", ["testing one two"]));
    }

    [Fact]
    public void SeveralReferences_TheBestCounts() => Equal(Rouge.N("one two", ["three", "one two", "one"], 1), 1, 1, 1);

    // Porter's paper (1980) and, from "dies" on, the departures that NLTK documents in nltk/stem/porter.py.
    [Theory]
    [InlineData("caresses", "caress")]
    [InlineData("ponies", "poni")]
    [InlineData("cats", "cat")]
    [InlineData("feed", "feed")]
    [InlineData("agreed", "agre")]
    [InlineData("plastered", "plaster")]
    [InlineData("bled", "bled")]
    [InlineData("motoring", "motor")]
    [InlineData("sing", "sing")]
    [InlineData("conflated", "conflat")]
    [InlineData("troubling", "troubl")]
    [InlineData("sized", "size")]
    [InlineData("hopping", "hop")]
    [InlineData("falling", "fall")]
    [InlineData("hissing", "hiss")]
    [InlineData("filing", "file")]
    [InlineData("happy", "happi")]
    [InlineData("relational", "relat")]
    [InlineData("conditional", "condit")]
    [InlineData("vietnamization", "vietnam")]
    [InlineData("triplicate", "triplic")]
    [InlineData("electrical", "electr")]
    [InlineData("goodness", "good")]
    [InlineData("revival", "reviv")]
    [InlineData("adjustment", "adjust")]
    [InlineData("adoption", "adopt")]
    [InlineData("homologou", "homolog")]
    [InlineData("probate", "probat")]
    [InlineData("rate", "rate")]
    [InlineData("controlling", "control")]
    [InlineData("roll", "roll")]
    [InlineData("dies", "die")]
    [InlineData("flies", "fli")]
    [InlineData("died", "die")]
    [InlineData("spied", "spi")]
    [InlineData("skies", "sky")]
    [InlineData("enjoy", "enjoy")]
    [InlineData("geology", "geolog")]
    public void Stem_FollowsPorter(string word, string stem) => Assert.Equal(stem, PorterStemmer.Stem(word));

    private static void Equal(RougeScore score, double precision, double recall, double f)
    {
        Assert.Equal(precision, score.Precision, 5e-6);
        Assert.Equal(recall, score.Recall, 5e-6);
        Assert.Equal(f, score.F, 5e-6);
    }
}
