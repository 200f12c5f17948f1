"""The routes that are about the model and not for its use: health, metadata, license, metrics.

The shapes are those of NVIDIA's NIMs, all of their variants at once where these differ: a client
that waits for `{"status": "ready"}` and one that reads `message` are both content.
"""

import hashlib
import json
from collections.abc import Callable, Coroutine

from fastapi import FastAPI
from starlette.responses import JSONResponse, PlainTextResponse, Response

from ansatz.server.desk import Desk
from ansatz.server.errors import HttpError, error_response
from ansatz.server.service import Service

API = "1.0.0"  # of the routes here; the release is the checkpoint's


def add_management(app: FastAPI, desk: Desk) -> None:
    """Add the routes to an application."""
    service = desk.service

    async def live() -> Response:
        """Whether the process answers."""
        return JSONResponse(_health("Service is live.", "live"))

    async def ready() -> Response:
        """Whether questions are taken: after the self-test, and until the server stops."""
        if desk.phase == "ready":
            return JSONResponse(_health("Service is ready.", "ready"))
        return error_response(HttpError(503, f"{service.name} is not ready: {desk.reason}", 5))

    async def metrics() -> Response:
        """Counters for Prometheus."""
        return PlainTextResponse(desk.metrics.text(), media_type="text/plain; version=0.0.4")

    async def openapi() -> Response:
        """This interface, described."""
        return JSONResponse(app.openapi())

    async def config() -> Response:
        """The resolved recipe."""
        return PlainTextResponse(service.config, media_type="application/yaml")

    documents: dict[str, dict[str, object]] = {
        "/v1/metadata": metadata(service),
        "/v1/version": {"release": service.version, "api": API},
        "/v1/license": license_document(service),
        "/v1/manifest": {"manifest_file": manifest(service), "repository_override": ""},
        "/v1/models": models(service),
    }
    for path, endpoint in {
        "/v1/health/live": live,
        "/v1/health/ready": ready,
        "/v1/metrics": metrics,
        "/v1/openapi": openapi,
        "/v1/model/config": config,
    }.items():
        app.add_api_route(path, endpoint, methods=["GET"], response_model=None)
    for path, document in documents.items():
        app.add_api_route(path, _fixed(document), methods=["GET"], response_model=None, name=path)


def _health(message: str, status: str) -> dict[str, str]:
    return {"object": "health.response", "message": message, "status": status}


def _fixed(document: dict[str, object]) -> Callable[[], Coroutine[None, None, Response]]:
    async def endpoint() -> Response:
        return JSONResponse(document)

    return endpoint


def metadata(service: Service) -> dict[str, object]:
    """What is served, as `/v1/metadata` says it."""
    return {
        "assetInfo": list(service.assets),
        "licenseInfo": {"name": service.license.name, "url": service.license.url},
        "modelInfo": [{"shortName": service.name, "modelUrl": f"/v1/models/{service.name}"}],
        "repository_override": "",
        "version": service.version,
        "selectedModelProfileId": "",
        "title": service.title,
        "arithmetic": service.arithmetic,
        "card": service.card,
        "dialects": {dialect.name: list(dialect.routes) for dialect in service.dialects},
    }


def license_document(service: Service) -> dict[str, object]:
    """The license, with the SHA-1 and the length of its text."""
    text = service.license.text
    return {
        "name": service.license.name,
        "path": "LICENSE",
        "sha": hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(),
        "size": len(text),
        "url": service.license.url,
        "type": "file",
        "content": text,
    }


def manifest(service: Service) -> str:
    """Name, version and files of the model as YAML (of which JSON is a part)."""
    return "".join(
        f"{key}: {json.dumps(value)}\n"
        for key, value in {
            "model": service.name,
            "version": service.version,
            "assets": list(service.assets),
        }.items()
    )


def models(service: Service) -> dict[str, object]:
    """The list of models, which has one entry."""
    entry = {"id": service.name, "object": "model", "version": service.version}
    return {"object": "list", "data": [entry | {"title": service.title}]}
