"""The HTTP endpoint of a process: `/metrics` for Prometheus, `/live` and `/ready` for probes."""

import logging
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import MetricsHandler
from prometheus_client.registry import Collector

from models.errors import SuperfanError
from streams.ops import meters, metrics
from streams.ops.liveness import Liveness
from streams.settings import Settings

log = logging.getLogger(__name__)


class EndpointError(SuperfanError):
    """The metrics endpoint cannot listen at its address."""


@contextmanager
def serving(
    settings: Settings, by: Collection[str], liveness: Liveness, *others: Collector
) -> Iterator[None]:
    """Serve the metrics of `by` (roles, or the exporter) and the probes until the block ends.

    A thread of its own answers, even while the worker's loop is busy or stuck. Does nothing when no port
    is set. Raises `EndpointError` when the port cannot be used.
    """
    at = settings.metrics
    if at.port is None:
        yield
        return
    meters.exposed(settings, by)
    probes = {"/live": liveness.stuck, "/ready": liveness.unready}

    class Answer(MetricsHandler):
        registry = metrics.registry(by, *others)

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path == "/metrics":
                super().do_GET()
            elif path in probes:
                wrong = probes[path]()
                self._answer(200 if wrong is None else 503, wrong or "yes")
            else:
                self._answer(404, "try /metrics, /live or /ready")

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.end_headers()
            self.wfile.write(text.encode() + b"\n")

    try:
        server = _Server((at.host, at.port), Answer)
    except OSError as error:
        raise EndpointError(
            f"Metrics cannot be served at {at.host}:{at.port}",
            error.strerror or str(error),
            "set another metrics.port (SUPERFAN_METRICS__PORT) for each process of this machine",
        ) from None
    with server:
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
        log.info("Metrics at http://%s:%d/metrics", at.host, at.port)
        try:
            yield
        finally:
            server.shutdown()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log only for debugging: a client that disconnects early is no error here."""
        log.debug("A request for metrics ended early", exc_info=True)
