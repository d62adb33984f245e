// One GPU instance from the request to its end. It costs money until it is terminated.
import { Novitai } from "./novitai.mjs";
import { Receiver } from "./webhooks.mjs";

const BODY = {
  name: "my-gpu-instance",
  productName: "A100-SXM4-40GB",
  templateId: "tf-training-template-1",
  gpuNum: 2,
  rootfsSize: 100,
  region: "US-WEST-01",
  // Should this program die, the instance still ends.
  maxRuntimeMinutes: 60,
};

async function main() {
  const { WEBHOOK_PORT = "0", WEBHOOK_URL } = process.env;
  const api = new Novitai();
  const receiver = new Receiver();
  await receiver.listen(Number(WEBHOOK_PORT));
  const address = WEBHOOK_URL || `http://127.0.0.1:${receiver.port}/webhook`;
  let endpoint, id;
  try {
    // Its secret is shown this once: a real receiver keeps it.
    endpoint = await api.createEndpoint(address, ["instance.running"]);
    receiver.secret = endpoint.secret;
    id = await api.create(BODY);
    console.log(`created ${id}`);
    const instance = await api.wait(id, "running");
    for (const [name, where] of Object.entries(instance.connectionDetails ?? {}))
      console.log(`${name} ${where}`);
    const message = await receiver.waitFor(id, "instance.running");
    console.log(`verified ${message.type} ${message.eventId}`);
  } finally {
    // Whatever happened: what nobody uses shall not cost.
    try {
      if (id !== undefined) {
        await api.terminate(id);
        await api.wait(id, "terminated");
      }
      if (endpoint !== undefined) await api.deleteEndpoint(endpoint.id);
    } finally {
      receiver.close();
    }
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
