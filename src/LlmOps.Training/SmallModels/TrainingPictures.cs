using LlmOps.Engines.Pictures;

namespace LlmOps.Training.SmallModels;

/// <summary>Pictures in the form that a training shows them.</summary>
internal static class TrainingPictures
{
    /// <summary>What stands before a colon in the title names the series, what comes after it is the text.</summary>
    public static IReadOnlyList<TrainingSample> Of(IEnumerable<Picture> pictures) => [.. pictures.Select(picture =>
        picture.Title.Split(": ", 2) is [var series, var text] ? new TrainingSample(series, text, picture.Png) : new TrainingSample(picture.Title, picture.Title, picture.Png))];
}
