// Verifies deliveries as a receiver does. Arguments: a file with {secrets, calls: [{headers, body}]}. Each secret alone must verify each call.
import { readFileSync } from "node:fs";
import { Webhook, WebhookVerificationError } from "standardwebhooks";

const { secrets, calls } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const refused = (webhook, body, headers) => {
  try {
    webhook.verify(body, headers);
  } catch (e) {
    if (e instanceof WebhookVerificationError) return;
    throw e;
  }
  throw new Error(`a wrong message was taken for a true one: ${body}`);
};
for (const { headers, body } of calls)
  for (const secret of secrets) {
    const webhook = new Webhook(secret);
    const event = webhook.verify(body, headers);
    if (event.type !== "registered_model.created" || !event.data.name || Number.isNaN(Date.parse(event.timestamp))) throw new Error(`unexpected event ${body}`);
    refused(webhook, body.replace("name", "nome"), headers);
    refused(webhook, body, { ...headers, "webhook-id": headers["webhook-id"] + "0" });
    refused(webhook, body, { ...headers, "webhook-timestamp": String(Number(headers["webhook-timestamp"]) - 3600) });
    refused(new Webhook("whsec_" + Buffer.alloc(32, 1).toString("base64")), body, headers);
  }
console.log(`verified ${calls.length * secrets.length}`);
