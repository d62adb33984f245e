"""Contents of an account at the first start: templates of every channel, a registry auth."""

from __future__ import annotations

from collections.abc import Iterator

from devtools.simulator.http import Json

REGISTRY_AUTH_ID = "7d3c1a52-9f0e-4b61-8c1d-2f5a6e0b9c44"
OWNER_ID = "5b0c8d7e-2a41-4f63-9e1b-c3d4e5f60718"
SEED_TEMPLATE_ID = "tf-training-template-1"


def initial_things(now_ms: int) -> Iterator[tuple[str, str, Json]]:
    """Kind, id and body of each record that exists from the start."""
    created = str(now_ms // 1000 - 86_400)
    for template in _templates():
        yield "template", template["Id"], {**template, "createdAt": created}
    yield (
        "auth",
        REGISTRY_AUTH_ID,
        {
            "id": REGISTRY_AUTH_ID,
            "name": "ghcr.io",
            "username": "training-bot",
            "password": "ghp_simulated0registry0token",
        },
    )


def template(template_id: str, name: str, channel: str, image: str, **fields: object) -> Json:
    """A template with every field of the service, empty if not given."""
    body: Json = {
        "Id": template_id,
        "user": OWNER_ID,
        "name": name,
        "readme": "",
        "type": "instance",
        "channel": channel,
        "image": image,
        "imageAuth": "",
        "startCommand": "",
        "entrypoint": "",
        "rootfsSize": 60,
        "ports": [],
        "volumes": [],
        "envs": [],
        "tools": [],
        "createdAt": "0",
        "recommendCards": [],
        "minCudaVersion": "",
    }
    return {**body, **fields}


def _ports(http: list[int], tcp: list[int]) -> list[Json]:
    pairs = (("http", http), ("tcp", tcp))
    return [{"type": kind, "ports": ports} for kind, ports in pairs if ports]


def _templates() -> list[Json]:
    jupyter = {"name": "Jupyter", "describe": "Start Jupyter Notebook", "port": "8888"}
    return [
        template(
            "212", "ubuntu", "official", "ubuntu:latest",
            readme="A bare Ubuntu.", rootfsSize=10, ports=_ports([6000], [8080, 8090]),
            tools=[{**jupyter, "type": "http"}],
        ),
        template(
            "107", "PyTorch 2.4", "official", "novitalabs/pytorch:2.4.1-cuda12.4",
            rootfsSize=60, ports=_ports([8888], []), minCudaVersion="12.4",
            tools=[{**jupyter, "type": "http"}],
            recommendCards=[{"gpuSpecId": "4090.18c.60g", "cardNum": "2"}],
        ),
        template(
            "5561", "ComfyUI", "community", "ghcr.io/community/comfyui:v1",
            rootfsSize=80, ports=_ports([8188], []), startCommand="python main.py --listen",
        ),
        template(
            "107672", "my-diffusion", "private", "ghcr.io/acme/diffusion:3",
            imageAuth=REGISTRY_AUTH_ID, ports=_ports([80, 8188, 8189], []),
            envs=[
                {"key": "MODEL", "value": "sdxl"},
                {"key": "WORKERS", "value": "2"},
                {"key": "LANG", "value": "C.UTF-8"},
            ],
        ),
        template(
            SEED_TEMPLATE_ID, "tf-training", "private", "ghcr.io/acme/tensorflow-training:2.17",
            imageAuth=REGISTRY_AUTH_ID, rootfsSize=60, ports=_ports([8888], [22]),
            startCommand="bash -lc '/opt/start.sh'",
            envs=[
                {"key": "JUPYTER_TOKEN", "value": "change-me"},
                {"key": "TF_FORCE_GPU_ALLOW_GROWTH", "value": "true"},
            ],
        ),
    ]  # fmt: skip
