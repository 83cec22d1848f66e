"""The dashboard on a page: drawn from a Prometheus with what Grafana publishes of itself for plugins."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailscale_sidecar.commands.dashboard import dashboard
from tests.lab.prometheus_server import LISTEN
from tests.lab.settings import CACHE
from tests.lab.shell import LabError, find_command, locked, run, step

from .examples import ROOT
from .serving import served

SOURCE = ROOT / "tests" / "site" / "dashboard"
BUNDLE = ("--bundle", "--format=esm", "--jsx=automatic", "--minify", "--log-level=error", "--outfile=page.js")
ICONS = "img/icons"
FONTS = {"400": "Regular", "500": "Medium"}
"""Weights of Inter, and Grafana's names of them. It does not publish the font with its parts."""
RATE_INTERVAL = "1m"
"""What Grafana makes of a scrape interval of 15 s: four of them."""


@dataclass(frozen=True)
class View:
    """How it is looked at."""

    screen: str
    width: int
    """Pixels."""
    theme: str
    """`light` or `dark`."""


VIEWS = [View(*screen, theme) for screen in (("wide", 1280), ("phone", 390)) for theme in ("light", "dark")]


def ensure() -> Path:
    """A folder with Grafana's packages and the page, made where the internet is, and kept in the cache.

    Raises:
        LabError: npm is missing.
    """
    if find_command("npm") is None:
        raise LabError("npm is missing: install Node.js")
    sources = [*sorted(SOURCE.iterdir()), Path(__file__)]  # what is built, and how
    key = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()[:16]
    folder = CACHE / f"dashboard-{key}"
    with locked(CACHE / "dashboard.lock", "builds the dashboard's page"):
        if not folder.exists():
            aside = Path(tempfile.mkdtemp(dir=CACHE))
            with step("building the dashboard's page"):
                build(aside)
            aside.rename(folder)
    return folder


def build(folder: Path) -> None:
    """The page in a folder, with icons and fonts where Grafana's parts ask for them."""
    shutil.copytree(SOURCE, folder, dirs_exist_ok=True)
    packages, public = folder / "node_modules", folder / "public"
    run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=folder)
    loaders = [f"--loader:.{kind}=dataurl" for kind in ("svg", "ttf")]
    run(["npx", "--no-install", "esbuild", "page.tsx", *BUNDLE, *loaders], cwd=folder)
    shutil.copytree(packages / "@grafana/ui/dist/public" / ICONS, public / "build" / ICONS)
    inter = public / "fonts" / "inter"
    inter.mkdir(parents=True)
    for weight, name in FONTS.items():
        font = packages / f"@fontsource/inter/files/inter-latin-{weight}-normal.woff2"
        shutil.copy(font, inter / f"Inter-{name}.woff2")


def queries(**variables: str) -> dict[str, list[str]]:
    """What each panel asks, of a namespace and a StatefulSet."""

    def filled(query: str) -> str:
        for variable, value in {**variables, "__rate_interval": RATE_INTERVAL}.items():
            query = query.replace(f"${variable}", value)
        return query

    return {
        panel["title"]: [filled(target["expr"]) for target in panel["targets"]]
        for panel in dashboard()["panels"]
        if panel["type"] != "row"
    }


@contextmanager
def page_address(built: Path, folder: Path) -> Iterator[str]:
    """Serves the page with the dashboard of this build from a folder; gives its address."""
    for file in built.iterdir():
        (folder / file.name).symlink_to(file)
    (folder / "dashboard.json").write_text(json.dumps(dashboard()))
    with served(folder) as address:
        yield address


def look(browser: Any, address: str, view: View, *, minutes: int, **variables: str) -> Any:
    """The page in a browser, when all panels are drawn.

    Raises:
        AssertionError: The browser or a query had something to say.
    """
    said: list[str] = []
    page = browser.new_page(viewport={"width": view.width, "height": 900})
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    asked = {**variables, "prometheus": f"http://{LISTEN}", "rate_interval": RATE_INTERVAL}
    page.goto(f"{address}?{urllib.parse.urlencode({**asked, 'minutes': minutes, 'theme': view.theme})}")
    page.wait_for_selector("[data-panel]")
    page.wait_for_function("() => !document.querySelector('[data-drawn=false]')")
    page.wait_for_load_state("networkidle")
    assert not said
    return page
