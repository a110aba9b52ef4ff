"""WireMock, an HTTP server that we did not write, with faults below HTTP; it needs Java."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import urllib3

from notify.stack.process import DIE_WITH_PARENT
from notify.stack.rabbitmq import free_ports
from tests.support.node import node_modules
from tests.support.rig import until
from tests.support.services import missing

Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WireMock:
    """A running server."""

    url: str
    http: urllib3.PoolManager

    def on(self, path: str, *answers: Answer) -> None:
        """Answer the next requests for a path in turn, and all others like the last one."""
        self._admin("POST", "/reset")
        for number, answer in enumerate(answers):
            last = number == len(answers) - 1
            self._admin(
                "POST",
                "/mappings",
                scenarioName="turn",
                requiredScenarioState="Started" if number == 0 else str(number),
                **({} if last else {"newScenarioState": str(number + 1)}),
                request={"method": "POST", "urlPath": path},
                response=answer,
            )

    def seen(self) -> Sequence[Mapping[str, Any]]:
        """Return the requests since the last `on`, newest first."""
        found: Sequence[Mapping[str, Any]] = self._admin("GET", "/requests")["requests"]
        return found

    def _admin(self, method: str, path: str, **body: object) -> Any:
        answer = self.http.request(method, f"{self.url}/__admin{path}", json=body or None)
        assert answer.status < 300, answer.data
        return json.loads(answer.data) if answer.data else None


@contextmanager
def wiremock() -> Iterator[WireMock]:
    """Run a server on a free port."""
    java = shutil.which("java")
    if java is None:
        missing("java is not installed: apt-get install default-jre-headless")
    (jar,) = (node_modules() / "wiremock").rglob("wiremock*.jar")
    (port,) = free_ports(1)
    # A small, short-lived machine: the simplest collector, and no second compiler.
    options = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx128m"]
    server = ["--port", str(port), "--bind-address", "127.0.0.1", "--disable-banner"]
    process = subprocess.Popen(
        [*DIE_WITH_PARENT, java, *options, "-jar", str(jar), *server],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with urllib3.PoolManager(retries=False) as http:
        found = WireMock(f"http://127.0.0.1:{port}", http)
        try:
            until(lambda: process.poll() is not None or _up(found))
            assert process.poll() is None, "WireMock does not start"
            yield found
        finally:
            process.terminate()
            process.wait(30)


def _up(server: WireMock) -> bool:
    try:
        return server.http.request("GET", f"{server.url}/__admin/mappings").status == 200
    except urllib3.exceptions.HTTPError:
        return False
