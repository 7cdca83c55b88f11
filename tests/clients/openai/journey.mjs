// Calls the server through OpenAI's own client: streams, tools, probabilities, embeddings, error classes.
import assert from "node:assert/strict";
import OpenAI from "openai";

const [address, apiKey] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey, maxRetries: 0 });
const say = (text) => [{ role: "system", content: "be brief" }, { role: "user", content: text }];

const names = [];
for await (const model of client.models.list()) names.push(model.id);
for (const name of ["npm-chat", "npm-tools", "rag:npm-docs", "npm-lm@production"]) assert(names.includes(name), `${name} is not in ${names}`);
assert.equal((await client.models.retrieve("npm-lm/1")).id, "npm-lm/1");

// A whole answer, its headers, and the same one as a stream.
const { data: whole, response } = await client.chat.completions.create({ model: "npm-chat", messages: say("define a word"), temperature: 0, max_tokens: 20 }).withResponse();
assert.equal(response.headers.get("x-llmops-revision"), "npm-chat#1");
assert.equal(whole.usage.total_tokens, whole.usage.prompt_tokens + whole.usage.completion_tokens);
const stream = await client.chat.completions.create({ model: "npm-chat", messages: say("define a word"), temperature: 0, max_tokens: 20, stream: true, stream_options: { include_usage: true } });
let text = "", usage = null, pieces = 0;
for await (const chunk of stream) {
  text += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
  pieces++;
}
assert.equal(text, whole.choices[0].message.content);
assert.equal(usage.completion_tokens, whole.usage.completion_tokens);
assert(pieces > 5, `${pieces} pieces`);

// The client's own accumulator agrees with the stream.
const runner = client.chat.completions.stream({ model: "npm-chat", messages: say("define a word"), temperature: 0, max_tokens: 20 });
assert.equal((await runner.finalChatCompletion()).choices[0].message.content, text);

// Giving up a stream ends it.
const given = await client.chat.completions.create({ model: "npm-chat", messages: say("on and on"), max_tokens: 300, stream: true });
for await (const _ of given) break;

// Probabilities.
const likely = await client.chat.completions.create({ model: "npm-chat", messages: say("a dog"), temperature: 0, max_tokens: 5, logprobs: true, top_logprobs: 4 });
for (const token of likely.choices[0].logprobs.content) {
  assert.equal(token.top_logprobs.length, 4);
  assert(Math.abs(token.logprob - Math.max(...token.top_logprobs.map((t) => t.logprob))) < 1e-9);
  assert(token.top_logprobs.reduce((sum, t) => sum + Math.exp(t.logprob), 0) <= 1.0001);
}

// Tools, demanded, whole and as a stream, and the result sent back.
const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: { town: { enum: ["Oslo", "Rome"] } }, required: ["town"], additionalProperties: false } } }];
const question = [{ role: "user", content: "how is the weather" }];
const called = await client.chat.completions.create({ model: "npm-tools", messages: question, tools, tool_choice: "required", max_tokens: 200 });
assert.equal(called.choices[0].finish_reason, "tool_calls");
const call = called.choices[0].message.tool_calls[0];
assert.equal(call.function.name, "weather");
assert(["Oslo", "Rome"].includes(JSON.parse(call.function.arguments).town));
const streamed = await client.chat.completions.stream({ model: "npm-tools", messages: question, tools, tool_choice: "required", max_tokens: 200 }).finalChatCompletion();
assert.equal(streamed.choices[0].message.tool_calls[0].function.name, "weather");
await client.chat.completions.create({ model: "npm-tools", messages: [...question, called.choices[0].message, { role: "tool", tool_call_id: call.id, content: "rain" }], tools, max_tokens: 5 });

// JSON by a schema.
const json = await client.chat.completions.create({ model: "npm-chat", messages: say("a number"), max_tokens: 100, response_format: { type: "json_schema", json_schema: { name: "n", schema: { type: "object", properties: { n: { type: "integer", minimum: 3, maximum: 7 } }, required: ["n"], additionalProperties: false } } } });
assert(JSON.parse(json.choices[0].message.content).n >= 3);

// Texts, embeddings (the client asks for base64 by itself), citations.
const completion = await client.completions.create({ model: "npm-chat", prompt: ["a small", "the word"], max_tokens: 4, temperature: 0 });
assert.deepEqual(completion.choices.map((c) => c.index), [0, 1]);
const coded = await client.embeddings.create({ model: "rag:npm-docs", input: ["a lease", "an alias"] });
const plain = await client.embeddings.create({ model: "rag:npm-docs", input: ["a lease", "an alias"], encoding_format: "float" });
coded.data[1].embedding.forEach((value, i) => assert(Math.abs(value - plain.data[1].embedding[i]) < 1e-6));
const cited = await client.chat.completions.create({ model: "rag:npm-docs", messages: [{ role: "user", content: "Who has to approve before an alias moves?" }] });
assert.equal(cited.citations[0].document, "aliases.md");

// Refusals arrive as the classes that programs catch.
await assert.rejects(client.chat.completions.create({ model: "nobody", messages: say("x") }), (e) => e instanceof OpenAI.NotFoundError && e.code === "model_not_found" && e.param === "model");
await assert.rejects(client.chat.completions.create({ model: "npm-chat", messages: say("x"), temperature: 9 }), (e) => e instanceof OpenAI.BadRequestError && e.param === "temperature");
await assert.rejects(client.chat.completions.create({ model: "npm-chat", messages: say("zebra ".repeat(900)) }), (e) => e instanceof OpenAI.BadRequestError && e.code === "context_length_exceeded");
await assert.rejects(new OpenAI({ baseURL: `${address}/v1`, apiKey: "llmops_wrong", maxRetries: 0 }).models.list(), (e) => e instanceof OpenAI.AuthenticationError && e.code === "invalid_api_key");

// A limit says when to come back; the client waits that long and tries again by itself.
const limits = await Promise.allSettled(Array.from({ length: 12 }, () => client.chat.completions.create({ model: "npm-chat", messages: say("x"), max_tokens: 60, temperature: 0 })));
const refused = limits.filter((l) => l.status === "rejected").map((l) => l.reason);
assert(refused.length > 0 && refused.every((e) => e instanceof OpenAI.RateLimitError && e.code === "rate_limit_exceeded" && Number(e.headers.get("retry-after")) >= 1), `${refused}`);
assert.equal((await new OpenAI({ baseURL: `${address}/v1`, apiKey, maxRetries: 3 }).chat.completions.create({ model: "npm-chat", messages: say("x"), max_tokens: 1 })).choices.length, 1);

console.log("ok");
