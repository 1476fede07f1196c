"""`make preview`: draw the dashboards with Grafana's own components and real data.

A stack runs under load for some minutes, while one worker joins and another stops and returns. Then the
queries of every panel run on Prometheus and PostgreSQL, and Chromium takes screenshots of the page in
deploy/grafana/preview. A panel without data is an error.
"""

import argparse
import functools
import http.server
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

from tests.ops.programs import DEPLOY, Prometheus
from tests.ops.stack import Stack, stack
from tests.ops.test_rules import BOARDS, MACROS

PAGE = DEPLOY / "grafana/preview"
PICTURES = DEPLOY / "pictures"
NEEDED = {
    "npm": "Debian has it in the package npm, or take Node.js 20 or newer",
    "chromium": "Debian has it in the package chromium",
    "prometheus": "Debian has it in the package prometheus",
}
BUNDLE = (
    "--bundle", "--format=esm", "--splitting", "--minify", "--jsx=automatic", "--log-level=error",
    "--loader:.woff2=file", "--loader:.ttf=file", '--define:process.env.NODE_ENV="production"',
)  # fmt: skip
MINUTES = 5
BURST = 3200
"""records of customers and fans that the feed sends first"""


def say(what: str) -> None:
    """Log progress."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {what}\n")


def build(folder: Path) -> None:
    """Build the page in a separate folder, so that no build output lands among the sources."""
    folder.mkdir(parents=True, exist_ok=True)
    for source in PAGE.iterdir():
        shutil.copy(source, folder)
    subprocess.run(["npm", "install"], cwd=folder, check=True)
    shutil.rmtree(folder / "build", ignore_errors=True)
    subprocess.run(
        ["node_modules/.bin/esbuild", "main.jsx", "--outdir=build", *BUNDLE], cwd=folder, check=True
    )
    (folder / "build/img").symlink_to("../node_modules/@grafana/ui/dist/public/img")


def live(running: Stack) -> tuple[float, float]:
    """Make events happen that the graphs show; return the start and the end, as Unix times."""

    def behind() -> float:
        return sum(running.prometheus.values("superfan:lag_records:sum") or [1e9])

    def wait(seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not until():
            for name, process in running.processes.items():
                assert process.process.poll() is None, f"{name} ended: {process.said()}"
            time.sleep(1)

    say("waiting until the first posts are processed")
    wait(600, lambda: behind() < 100)
    assert behind() < 100, "the workers do not keep up; is the machine busy with something else?"
    wait(20)  # rates look back
    began = time.time()
    say(f"watching for {MINUTES} minutes")
    wait(60)
    say("a second worker for profile joins")
    running.start("profile-2")
    wait(50)
    say("the worker for enrich stops")
    running.stop("enrich")
    wait(35)
    say("… and returns")
    running.start("enrich")
    wait(began + 60 * MINUTES - time.time())
    # A failed scrape is known only after its timeout, so look at a moment ago.
    deadline = time.monotonic() + 60
    while True:
        ended = time.time() - 5
        answers = running.prometheus.api("query", query="min(up)", time=str(ended))["result"]
        if answers and answers[0]["value"][1] == "1":
            return began, ended
        assert time.monotonic() < deadline, "processes do not answer Prometheus in time"
        time.sleep(1)


def asked(prometheus: Prometheus, store: str, began: float, ended: float) -> dict[str, Any]:
    """Run the queries of every dashboard; return the answers by panel and query."""
    step = max(1, round((ended - began) / 300))
    macros = MACROS | {"$__range": f"{ended - began:.0f}s"}
    brands = prometheus.api("label/brand/values", **{"match[]": "superfan_opinions_total"})

    def answer(target: dict[str, Any]) -> dict[str, Any]:
        if "rawSql" in target:
            names = ", ".join(f"'{brand}'" for brand in brands)
            with psycopg.connect(store.replace("+psycopg", "")) as connection:
                found = connection.execute(target["rawSql"].replace("${brand:sqlstring}", names))
                assert found.description
                return {"columns": [column.name for column in found.description], "rows": found.fetchall()}
        expr = target["expr"]
        for macro, value in macros.items():
            expr = expr.replace(macro, value)
        if target.get("range"):
            found = prometheus.api(
                "query_range", query=expr, start=str(began), end=str(ended), step=str(step)
            )
        else:
            found = prometheus.api("query", query=expr, time=str(ended))
        return {"step": step, "result": found["result"]}

    return {
        uid: {
            "from": began * 1000,
            "to": ended * 1000,
            "answers": {
                str(panel["id"]): {target["refId"]: answer(target) for target in panel["targets"]}
                for panel in board["panels"]
                if panel["type"] != "row"
            },
        }
        for uid, board in BOARDS.items()
    }


def empty(boards: dict[str, Any]) -> list[str]:
    """Return the panels without data."""
    return [
        f"{board['dashboard']['title']} / {panel['title']}"
        for board in boards.values()
        for panel in board["dashboard"]["panels"]
        if panel["type"] != "row"
        and not any(a.get("rows") or a.get("result") for a in board["answers"][str(panel["id"])].values())
    ]


def plain(value: object) -> object:
    """Convert a value without a JSON type to the one that the page expects."""
    if isinstance(value, datetime):
        return value.timestamp() * 1000
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(type(value))


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve the folder on loopback; yield its address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Log no requests."""

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def draw(folder: Path) -> None:
    """Take a screenshot of every dashboard, light and dark."""
    with served(folder) as url:
        subprocess.run(
            ["node", "pictures.mjs", shutil.which("chromium") or "", url, str(PICTURES), *sorted(BOARDS)],
            cwd=folder,
            check=True,
        )


def main() -> None:
    """Run the stack, keep its answers, build the page and take the pictures."""
    parser = argparse.ArgumentParser(prog="make preview PREVIEW_ARGS=…", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder in which the page is built")
    parser.add_argument("--again", action="store_true", help="redraw the answers of the last run")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the stack is stopped
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        sys.exit("\n".join(f"{name} is not installed: {NEEDED[name]}" for name in missing))
    say("building the page (the first time fetches Grafana's components: some minutes)")
    build(chosen.folder)
    kept = chosen.folder / "answers.json"
    if not chosen.again:
        say("starting Kafka, PostgreSQL, workers, Prometheus and a feed")
        with (
            tempfile.TemporaryDirectory(prefix="superfan-") as folder,
            stack(Path(folder), later=["profile-2"], burst=BURST, rate=15, swing=0.5) as running,
        ):
            store = running.settings.store_url.get_secret_value()
            kept.write_text(json.dumps(asked(running.prometheus, store, *live(running)), default=plain))
    boards = json.loads(kept.read_text())
    for uid, board in boards.items():
        board["dashboard"] = BOARDS[uid]
    kept.write_text(json.dumps(boards))
    if found := empty(boards):
        sys.exit("Without data: " + "; ".join(found))
    draw(chosen.folder)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as failed:
        sys.exit(f"{failed.cmd[0]} ended with {failed.returncode}; see its output above")
