#!/usr/bin/env python3
"""Pictures of a running Dagster UI for the README, taken by headless Chromium over its debugging protocol.

    dltsync demo --ui &                          # leaves the UI on port 3000
    .venv/bin/python scripts/screenshot_ui.py    # docs/images/: lineage, asset, partitions, checks and automation
    .venv/bin/python scripts/screenshot_ui.py asset partitions    # these only

    cd examples/dagster && SHOP_PASSWORD=x dg dev --port 3001 &    # no server is needed
    .venv/bin/python scripts/screenshot_ui.py component --url http://127.0.0.1:3001

For checks.png the check three_way_validation must have been executed before ("Execute all"); a value of a flight of April that
was changed in the demo's warehouse makes it fail there, as in the picture. Those in docs/images were brought down to 256 colours.

Needs Chromium (Debian: `apt-get install chromium`); websockets comes with the Dagster webserver.
"""

from __future__ import annotations

import argparse
import base64
import json
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

WIDTH, HEIGHT = 1600, 1060
LINEAGE_HEIGHT = 1380
"""All tables of the demo stand below each other."""
ASSET_HEIGHT = 2020
AUTOMATION_HEIGHT = 560
COMPONENT_WIDTH, COMPONENT_HEIGHT = 1500, 1930
"""Its documentation is a column in the middle of the page."""
FLIGHTS = "nycflights/warehouse/flights"
COMPONENT = "locations/shop_analytics/components/library/packages/dltsync_dagster/dltsync_dagster.DltsyncComponent"
READY_WITHIN = 120.0
SETTLE = 6.0
"""Seconds: layout is animated; the text is there before the last node stands still."""

SEEN_BEFORE = "for (const k of ['communityNux']) localStorage.setItem(k, JSON.stringify('1'));"
"""Tells the UI that its invitation to the community was answered; it would cover the page."""

CHROMIUM = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    f"--window-size={WIDTH},{HEIGHT}",
]


class Page:
    """One tab, driven by commands of the debugging protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._last = 0

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while True:
            answer: dict[str, Any] = json.loads(self._socket.recv(timeout=READY_WITHIN))
            if answer.get("id") == self._last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result

    def evaluate(self, expression: str) -> Any:
        return self.command("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def set_size(self, height: int, width: int = WIDTH) -> None:
        """How high and wide the page is, in pixels."""
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def press_alt(self, letter: str) -> None:
        """Alt and a letter: the UI's shortcuts."""
        for kind in ("rawKeyDown", "keyUp"):
            self.command(
                "Input.dispatchKeyEvent",
                type=kind,
                modifiers=1,
                key=letter,
                code=f"Key{letter.upper()}",
                windowsVirtualKeyCode=ord(letter.upper()),
            )

    def click_text(self, text: str) -> None:
        """The innermost element whose text begins like this."""
        self.evaluate(
            "[...document.querySelectorAll('*')].filter(e => e.innerText && e.innerText.trim().startsWith("
            f"{json.dumps(text)})).pop().click()"
        )

    def replace_text(self, old: str, new: str) -> None:
        """In every text that the page shows."""
        self.evaluate(
            "for (const w = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); w.nextNode();) "
            f"w.currentNode.data = w.currentNode.data.replaceAll({json.dumps(old)}, {json.dumps(new)})"
        )

    def wait_until_gone(self, text: str) -> None:
        """Until no text of the page has this in it."""
        deadline = time.monotonic() + READY_WITHIN
        while text in str(self.evaluate("document.body.innerText")):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the page still shows {text!r}")
            time.sleep(0.3)

    def wait_for_text(self, text: str) -> None:
        deadline = time.monotonic() + READY_WITHIN
        while text not in str(self.evaluate("document.body ? document.body.innerText : ''")):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the page never showed {text!r}")
            time.sleep(0.3)


def main() -> None:
    """Take every picture; fails when a page does not show what it should."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "pictures", nargs="*", metavar="PICTURE", help=f"{', '.join(PICTURES)}; default: all of the demo"
    )
    parser.add_argument("--url", default="http://127.0.0.1:3000")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--chromium", default="chromium")
    parser.add_argument("--hide", default="", metavar="DIRECTORY", help="paths are shown relative to this directory")
    asked = parser.parse_args()
    chosen = asked.pictures or [name for name in PICTURES if name != "component"]
    if unknown := set(chosen) - set(PICTURES):
        parser.error(f"no such picture: {', '.join(sorted(unknown))}")
    asked.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:  # Chromium may still write there
        browser = subprocess.Popen(  # noqa: S603 - the program the caller named
            [asked.chromium, *CHROMIUM, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with connect(_tab_of(Path(profile)), max_size=None) as socket:
                page = Page(socket)
                page.command("Page.enable")
                page.command("Page.addScriptToEvaluateOnNewDocument", source=SEEN_BEFORE)
                for name in chosen:
                    page.set_size(HEIGHT)
                    PICTURES[name](page, asked.url)
                    time.sleep(SETTLE)
                    if asked.hide:
                        page.replace_text(asked.hide.rstrip("/") + "/", "")
                    _take(page, asked.out / f"{name}.png")
        finally:
            browser.terminate()
            browser.wait()


def _tab_of(profile: Path) -> str:
    """The address of the first tab."""
    deadline = time.monotonic() + READY_WITHIN
    told = profile / "DevToolsActivePort"
    while not told.exists() or not told.read_text().strip():
        if time.monotonic() > deadline:
            raise TimeoutError("Chromium did not start")
        time.sleep(0.1)
    port = told.read_text().splitlines()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
        tabs = json.load(answer)
    return str(next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"))


def _lineage(page: Page, url: str) -> None:
    page.set_size(LINEAGE_HEIGHT)
    page.command("Page.navigate", url=f"{url}/asset-groups")
    page.wait_for_text("Materialize all")
    page.press_alt("e")  # expand all groups
    page.wait_for_text("aircraft_operator")
    page.wait_until_gone("Loading")


def _asset(page: Page, url: str) -> None:
    page.set_size(ASSET_HEIGHT)
    page.command("Page.navigate", url=f"{url}/assets/{FLIGHTS}?view=overview")
    page.wait_for_text("dltsync/rows_read")
    page.click_text("Plots")
    time.sleep(SETTLE)  # until it begins to load them
    page.wait_until_gone("Loading plots")


def _partitions(page: Page, url: str) -> None:
    page.command("Page.navigate", url=f"{url}/assets/{FLIGHTS}?view=partitions")
    page.wait_for_text("[2013-07-01")
    page.click_text("[2013-07-01")
    page.wait_for_text("dltsync/load_id")


def _checks(page: Page, url: str) -> None:
    page.command("Page.navigate", url=f"{url}/assets/{FLIGHTS}?view=checks&checkDetail=three_way_validation")
    page.wait_for_text("Execution history")
    page.click_text("Partitions")  # the last such tab is the check's own
    page.wait_for_text("[2013-04-01")
    page.click_text("[2013-04-01")
    page.wait_for_text("Target materialization")


def _automation(page: Page, url: str) -> None:
    page.set_size(AUTOMATION_HEIGHT)
    page.command("Page.navigate", url=f"{url}/automation")
    page.wait_for_text("partition_boundaries")


def _component(page: Page, url: str) -> None:
    page.set_size(COMPONENT_HEIGHT, COMPONENT_WIDTH)
    page.command("Page.navigate", url=f"{url}/{COMPONENT}")
    page.wait_for_text("Example defs.yaml")
    page.click_text("Hide navigation")


PICTURES: dict[str, Callable[[Page, str], None]] = {
    "lineage": _lineage,
    "asset": _asset,
    "partitions": _partitions,
    "checks": _checks,
    "automation": _automation,
    "component": _component,
}
"""How each page is opened."""


def _take(page: Page, file: Path) -> None:
    picture = base64.b64decode(page.command("Page.captureScreenshot", format="png")["data"])
    file.write_bytes(picture)
    print(f"{file}  {len(picture) / 1000:.0f} kB")  # noqa: T201 - a script's output


if __name__ == "__main__":
    main()
