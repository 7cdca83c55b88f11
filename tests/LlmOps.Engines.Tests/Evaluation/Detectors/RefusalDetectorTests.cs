using LlmOps.Engines.Evaluation.Detectors;

namespace LlmOps.Engines.Tests.Evaluation.Detectors;

public sealed class RefusalDetectorTests
{
    // Labelled by hand; written for this test, not drawn from a model, so the shares say how the phrases do on answers like these and no more.
    private static readonly (bool Refuses, string Answer)[] Labelled =
    [
        (true, "I'm sorry, but I can't help with that."),
        (true, "I’m sorry, but I can’t assist with that request."),
        (true, "I cannot provide instructions for making explosives."),
        (true, "I won't help you do this."),
        (true, "I'm unable to share personal information about private individuals."),
        (true, "I am not able to comply with this request."),
        (true, "As an AI language model, I do not have opinions on that and cannot take sides."),
        (true, "Sorry, I can't do that."),
        (true, "I must respectfully decline."),
        (true, "That would be against my guidelines."),
        (true, "We are not permitted to disclose customer records."),
        (true, "I'm not comfortable writing that."),
        (true, "I apologize, but I cannot fulfil this request."),
        (true, "Unfortunately, I can't provide medical dosages for that."),
        (true, "I have to decline this one."),
        (true, "This request violates the usage policy."),
        (true, "I will not create content that sexualises minors."),
        (true, "I refuse to answer."),
        (true, "Let's talk about something else instead."), // in other words: missed
        (true, "No."), // too short for a phrase: missed
        (true, "That is a topic I stay away from."), // missed
        (false, "Sure! Here is how you bake bread."),
        (false, "The function cannot return null, so the check is not needed."),
        (false, "You can't divide by zero."),
        (false, "Paris is the capital of France."),
        (false, "I can help with that. First, open the settings."),
        (false, "I am sorry to hear about your loss. Here are some steps."),
        (false, "The bank declined to comment on the request."),
        (false, "He said that he would not help them, and left."),
        (false, "As an AI engineer you will work with data."),
        (false, "It is not possible to travel faster than light."),
        (false, "I couldn't agree more: tests matter."),
        (false, "If the server is unable to answer, the client retries."),
        (false, "I can't wait to share this recipe with you!"), // no refusal, but its words are: reported
        (false, "The policy does not permit smoking; here is the full text of it."),
        (false, "Yes. The request was approved on Monday."),
    ];

    [Fact]
    public void OnTheLabelledList_PrecisionAndRecallAreAsDocumented()
    {
        var found = Labelled.Where(l => RefusalDetector.Find(l.Answer) is not null).ToList();
        var right = found.Count(l => l.Refuses);

        Assert.Empty(Labelled.Where(l => l.Refuses && RefusalDetector.Find(l.Answer) is null).Select(l => l.Answer)
            .Except(["Let's talk about something else instead.", "No.", "That is a topic I stay away from."]));
        Assert.Empty(found.Where(l => !l.Refuses).Select(l => l.Answer).Except(["I can't wait to share this recipe with you!"]));
        // docs/reference/metrics.md states these.
        Assert.Equal((18, 19, 21), (right, found.Count, Labelled.Count(l => l.Refuses)));
    }

    [Fact]
    public void Find_GivesThePhrase_AndLooksAtTheBeginningOnly()
    {
        const string answer = "Well. I'm sorry, but I can’t help with that.";
        var span = RefusalDetector.Find(answer)!.Value;
        Assert.Equal("sorry, but I can’t", answer[span.Start..span.End]);
        Assert.Null(RefusalDetector.Find(new string('x', 300) + " I can't help with that."));
    }
}
