"""One static HTML page of the store: no script, nothing loaded from elsewhere, prints well."""

from collections import Counter
from pathlib import Path

from jinja2 import Environment, PackageLoader, select_autoescape

from models.store import Store
from streams.settings import Settings

MAX_CARDS = 60


def write_report(target: Path, store: Store, settings: Settings) -> None:
    """Write the page: candidates first, then whom to watch, the best of each."""
    everyone = list(store.candidates())
    shown = sorted(everyone, key=lambda c: (c.state != "candidate", -c.score, c.key))[:MAX_CARDS]
    mentions = {brand.name: Counter[str]() for brand in settings.brands}
    for profile in store.profiles():
        window = profile.windows["90d"]
        if profile.brand in mentions:
            mentions[profile.brand].update(
                posts=window.posts,
                positive=window.positive,
                neutral=window.neutral,
                negative=window.negative,
                authors=1,
            )
    environment = Environment(loader=PackageLoader("streams", "templates"), autoescape=select_autoescape())
    page = environment.get_template("report.html").render(
        candidates=shown,
        total=len(everyone),
        ready=sum(candidate.state == "candidate" for candidate in everyone),
        brands=sorted(mentions.items(), key=lambda item: -item[1]["posts"]),
        wanted=", ".join(settings.tiers.wanted),
        most=max((count["posts"] for count in mentions.values()), default=0),
    )
    target.write_text(page, encoding="utf-8")
