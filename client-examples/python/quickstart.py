"""One GPU instance from the request to its end. It costs money until it is terminated."""

import os
import sys

from novitai import ApiError, Novitai
from webhooks import Receiver

BODY = {
    "name": "my-gpu-instance",
    "productName": "A100-SXM4-40GB",
    "templateId": "tf-training-template-1",
    "gpuNum": 2,
    "rootfsSize": 100,
    "region": "US-WEST-01",
    # Should this program die, the instance still ends.
    "maxRuntimeMinutes": 60,
}


def main():
    api = Novitai()
    receiver = Receiver(int(os.environ.get("WEBHOOK_PORT", "0")))
    address = os.environ.get("WEBHOOK_URL") or f"http://127.0.0.1:{receiver.port}/webhook"
    endpoint = instance_id = None
    try:
        # Its secret is shown this once: a real receiver keeps it.
        endpoint = api.create_endpoint(address, ["instance.running"])
        receiver.secret = endpoint["secret"]
        instance_id = api.create(**BODY)
        print(f"created {instance_id}", flush=True)
        instance = api.wait(instance_id, "running")
        for name, where in instance.get("connectionDetails", {}).items():
            print(f"{name} {where}")
        message = receiver.wait_for(instance_id, "instance.running")
        print(f"verified {message['type']} {message['eventId']}", flush=True)
    finally:
        # Whatever happened: what nobody uses shall not cost.
        if instance_id is not None:
            api.terminate(instance_id)
            api.wait(instance_id, "terminated")
        if endpoint is not None:
            api.delete_endpoint(endpoint["id"])
        receiver.close()


if __name__ == "__main__":
    try:
        main()
    except (ApiError, RuntimeError, TimeoutError) as error:
        sys.exit(str(error))
