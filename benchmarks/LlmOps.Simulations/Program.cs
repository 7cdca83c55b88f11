using LlmOps.Simulations;

switch (args)
{
    case ["gates", var picture]:
        GateTruth.Print(10_000, picture);
        return 0;
    case ["gates", var picture, var simulations] when int.TryParse(simulations, out var count):
        GateTruth.Print(count, picture);
        return 0;
    case ["bootstrap", var rounds] when int.TryParse(rounds, out var count):
        BootstrapSpeed.Print(count);
        return 0;
    default:
        Console.Error.WriteLine("gates PICTURE.svg [SIMULATIONS] | bootstrap ROUNDS");
        return 2;
}
