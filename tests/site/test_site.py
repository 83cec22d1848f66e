"""The docs as a site: what is in it, and what a person with a browser finds."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Iterator
from functools import cache
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from typing_extensions import override

import tailscale_sidecar
from tailscale_sidecar.checks import catalogue
from tests.support.examples import PROGRAMS, ROOT

PHONE = {"width": 360, "height": 740}
LOADED = {"script": "src", "img": "src", "iframe": "src", "link": "href"}
"""What a page loads, by its attribute; a `link` that is `canonical` or an alternative is not loaded."""
KINDS = (
    "index.html",
    "getting-started/index.html",
    "choose/index.html",
    "benchmarks/index.html",
    "languages/index.html",
    "examples/quickstart/index.html",
    "runbooks/stuck-after-crash/index.html",
    "reference/TailscaleSidecarStatefulSetArgs/index.html",
)
"""A page of each kind."""


class Seen(HTMLParser):
    """What a page has: the names of its places, its links, what it loads, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.places: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.text = ""
        self.feed(page)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places.add(given.get("id", ""))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in LOADED and LOADED[tag] in given and given.get("rel") not in {"canonical", "prev", "next"}:
            self.loaded.append(given[LOADED[tag]])

    @override
    def handle_data(self, data: str) -> None:
        self.text += data


@cache
def seen(page: Path) -> Seen:
    return Seen(page.read_text(encoding="utf-8"))


def plain(text: str) -> str:
    """Text without what Markdown sets apart."""
    return " ".join(text.replace("`", "").split())


def test_every_link_and_file_within_the_site_is_there(site: Path, pages: list[str]) -> None:
    dead = []
    for page in pages:
        found = seen(site / page)
        for link in [*found.links, *found.loaded]:
            parts = urlsplit(unescape(link))
            if parts.scheme or parts.netloc:
                continue
            target = posixpath.normpath(posixpath.join("/", posixpath.dirname(page), unquote(parts.path)))
            file = site / (target[1:] if parts.path else page)
            file = file / "index.html" if file.is_dir() else file
            place = unquote(parts.fragment) if file.suffix == ".html" else ""  # a picture's says when it is shown
            if not file.exists() or (place and place not in seen(file).places):
                dead.append((page, link))
    assert dead == []


def test_a_page_loads_nothing_from_elsewhere(site: Path, pages: list[str]) -> None:
    loaded = {link for page in pages for link in seen(site / page).loaded}
    assert [link for link in loaded if urlsplit(link).netloc] == []


@pytest.mark.parametrize("command", ["doctor", "preflight", "policy", "lint"])
def test_every_defect_has_a_runbook_that_says_why_and_what_to_do(command: str, site: Path) -> None:
    for defect in getattr(catalogue, command)():
        text = plain(seen(site / "runbooks" / defect.name / "index.html").text)
        for said in (defect.why, defect.do):
            assert all(part in text for part in plain(said).replace("}", "{").split("{")[::2]), defect.name
        assert f"tailscale-sidecar {command}" in text or "policy" in text


@pytest.mark.parametrize("command", ["doctor", "preflight", "policy"])
def test_what_a_command_knows_leads_to_the_runbooks(command: str, site: Path) -> None:
    links = seen(site / command / "index.html").links
    assert {f"../runbooks/{defect.name}/" for defect in getattr(catalogue, command)()} <= set(links)


def test_every_runbook_that_was_written_is_in_the_site(site: Path) -> None:
    written = {path.stem for path in ROOT.glob("docs/runbooks/*.md")}
    assert all((site / "runbooks" / name / "index.html").exists() for name in written)


def test_every_public_name_has_a_page_with_its_fields(site: Path) -> None:
    for name in tailscale_sidecar.__all__:
        text = seen(site / "reference" / name / "index.html").text
        assert name in text
        for field in getattr(getattr(tailscale_sidecar, name), "model_fields", {}):
            assert field in text


@pytest.mark.parametrize("name", [name for name in PROGRAMS if name != "languages"])
def test_every_example_is_shown_as_it_is_tested(name: str, site: Path) -> None:
    program = (ROOT / "examples" / name / "__main__.py").read_text(encoding="utf-8")
    _, _, code = program.partition("\n")
    assert plain(code) in plain(seen(site / "examples" / name / "index.html").text)


def opened(browser: Any, **options: Any) -> tuple[Any, list[str]]:
    """An empty page, and the list of all that will go wrong on it."""
    page, wrong = browser.new_page(**options), []
    page.on(
        "console", lambda said: wrong.append(f"{page.url}: {said.text}") if said.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
    page.on(
        "response", lambda answer: wrong.append(f"{page.url}: {answer.url} {answer.status}") if not answer.ok else None
    )
    return page, wrong


def without_search(page: Any, site: Path) -> None:
    """Each page would read the index of the whole site, most of the time that it takes; another test searches."""
    index = json.loads((site / "search" / "search_index.json").read_text(encoding="utf-8"))
    page.route("**/search_index.json", lambda route: route.fulfill(json={**index, "docs": []}))


def test_a_phone_shows_every_page_without_an_error(browser: Any, address: str, pages: list[str], site: Path) -> None:
    page, wrong = opened(browser, viewport=PHONE, is_mobile=True, has_touch=True)
    without_search(page, site)
    page.on("request", lambda request: None if request.url.startswith(address) else wrong.append(request.url))
    wide = []
    for name in pages:
        page.goto(address + name)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wide.append(name)
    assert wrong == []
    assert wide == []
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", KINDS)
def test_axe_has_nothing_to_say(scheme: str, name: str, browser: Any, address: str, site: Path) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page, _ = opened(browser, color_scheme=scheme)
    without_search(page, site)
    page.goto(address + name)
    assert list(told(axe.Axe().run(page).response["violations"])) == []
    page.close()


def told(violations: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each."""
    for violation in violations:
        for node in violation["nodes"]:
            yield f"{violation['id']}: {node['target']}: {node['failureSummary']}"


def test_a_keyboard_alone_leads_through_a_page_and_the_search(browser: Any, address: str) -> None:
    page, wrong = opened(browser)
    page.goto(address)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent.trim()") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.url.endswith("#tailscale_sidecar")
    page.goto(f"{address}getting-started/index.html")  # the theme closes a search when a page's place changes
    page.keyboard.press("/")
    page.keyboard.type("stuck-after-crash")
    page.wait_for_selector(".md-search-result__link[href*='runbooks/stuck-after-crash']")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/stuck-after-crash/**")
    assert wrong == []
    page.close()
