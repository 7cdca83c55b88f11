// dotnet run --project docs/samples/GenerateText -- FOLDER "prompt"
using LlmOps.Engines.Inference;

using var generator = TextGenerator.Load(args[0]);
var prompt = generator.Tokenizer.Encode(args[1]);
foreach (var token in generator.Generate(prompt, new SamplingOptions(MaxNewTokens: 100, Temperature: 0.7f, TopP: 0.9f)))
    Console.Write(token.Text);
Console.WriteLine();
