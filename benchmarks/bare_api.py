"""The baseline of the API: a Starlette endpoint that only publishes, with notify's publisher."""

from __future__ import annotations

import json
import sys
from uuid import uuid4

import uvicorn
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from notify.publisher import Outgoing, Publisher


def app(amqp: str, key: str) -> Starlette:
    """Return the application; it publishes one JSON object, or each of an array."""
    publisher = Publisher(amqp, window=1024)

    def publish(body: bytes) -> list[str]:
        requests = json.loads(body)
        many = requests if isinstance(requests, list) else [requests]
        messages = [Outgoing(json.dumps(each).encode(), key, str(uuid4())) for each in many]
        if any(error is not None for error in publisher.publish_many(messages)):
            raise RuntimeError("not confirmed")
        return [each.message_id for each in messages]

    async def post(request: Request) -> Response:
        ids = await run_sync(publish, await request.body())
        return JSONResponse({"ids": ids}, status_code=202)

    return Starlette(routes=[Route("/v1/notifications", post, methods=["POST"])])


if __name__ == "__main__":
    port, amqp, key = sys.argv[1:]
    uvicorn.run(app(amqp, key), port=int(port), log_level="warning", access_log=False)
