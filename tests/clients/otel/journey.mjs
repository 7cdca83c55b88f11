// Sends a trace of an answer with retrieval and a tool through the SDK as published.
// node journey.mjs ADDRESS TOKEN proto|json gzip|none
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';

const [address, token, form, compression] = process.argv.slice(2);
const Exporter = form === 'proto' ? ProtobufExporter : JsonExporter;
const exporter = new Exporter({ url: `${address}/v1/traces`, headers: { Authorization: `Bearer ${token}` }, compression });

// the SDK only logs what a server refuses; here it has to be an error
const results = [];
const send = exporter.export.bind(exporter);
exporter.export = (spans, done) => send(spans, (result) => { results.push(result); done(result); });

const sdk = new NodeSDK({ serviceName: `journey-${form}`, traceExporter: exporter, instrumentations: [], autoDetectResources: false });
sdk.start();
const tracer = trace.getTracer('journey', '1.0');

let traceId;
await tracer.startActiveSpan('invoke_agent helper', { attributes: { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.agent.name': 'helper', 'gen_ai.conversation.id': 'talk-7' } }, async (agent) => {
  traceId = agent.spanContext().traceId;
  const retrieval = tracer.startSpan('retrieval handbook', { attributes: { 'gen_ai.operation.name': 'retrieval', 'gen_ai.retrieval.query.text': 'holidays', 'gen_ai.retrieval.documents': JSON.stringify([{ id: 'd1', score: 0.75, content: 'Thirty days.' }]) } });
  retrieval.end();
  const tool = tracer.startSpan('execute_tool calendar', { attributes: { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'calendar', 'gen_ai.tool.call.arguments': '{"year":2026}', 'gen_ai.tool.call.result': '{"days":30}' } });
  tool.setStatus({ code: SpanStatusCode.ERROR, message: 'calendar is closed' });
  tool.end();
  const chat = tracer.startSpan('chat gpt-x', {
    kind: SpanKind.CLIENT,
    attributes: {
      'gen_ai.operation.name': 'chat', 'gen_ai.system': 'openai', 'gen_ai.request.model': 'gpt-x', 'gen_ai.request.temperature': 0.5, 'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.usage.input_tokens': 120, 'gen_ai.usage.output_tokens': 30, 'gen_ai.usage.cache_read_input_tokens': 100,
      'gen_ai.input.messages': JSON.stringify([{ role: 'user', parts: [{ type: 'text', content: 'How many days? Write to kim@example.org' }] }]),
      'gen_ai.output.messages': JSON.stringify([{ role: 'assistant', parts: [{ type: 'text', content: 'Thirty.' }], finish_reason: 'stop' }]),
    },
  }, trace.setSpan(context.active(), agent));
  await new Promise((resolve) => setTimeout(resolve, 20));
  chat.end();
  agent.end();
});
await sdk.shutdown();
if (results.length === 0 || results.some((r) => r.code !== 0)) {
  console.error(results);
  process.exit(1);
}
console.log(traceId);
