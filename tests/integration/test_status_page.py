"""The status page of a running service, by a plain client and in a real browser."""

import asyncio
import json
import re
import shutil
import subprocess
import tomllib
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import aiohttp
import pytest

from tests.integration.test_cli_embedded import dsr, here, sandbox, service, wait_for

__all__ = ["here", "sandbox", "service"]

CHROMIUM = shutil.which("chromium")
FLAGS = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
COMPLAINTS = {"Log.entryAdded", "Runtime.exceptionThrown"}
MEASURED = "[document.documentElement.scrollWidth, window.innerWidth, document.querySelector('h1').textContent]"


@pytest.fixture
def url(service, here):
    """Where the log says that it is."""
    found = re.compile(r'"status_page": "([^"]+)"').search
    wait_for(lambda: found((here / "run.out").read_text()))
    return found((here / "run.out").read_text())[1]


def get(url, accept="text/html"):
    with urlopen(Request(url, headers={"Accept": accept}), timeout=10) as answer:
        return answer.read().decode(), answer.headers


def test_the_page_tells_what_the_service_does_and_what_needs_somebody(service, sandbox, url):
    """Numbers of requests, a project whose keys are refused, and then no longer; nobody is named."""
    assert "amplitude-dsr" in get(url, "text/plain")[0]
    amplitude = tomllib.loads(sandbox.read_text())["projects"]["shop"]["base_url"]
    for user in ("jane-roe", "john-doe"):
        dsr("submit", "erase", "-p", "shop", "-u", user)
    wait_for(lambda: re.search(r">scheduled<.*?>2<", get(url)[0]))
    fault = json.dumps({"kind": "status", "method": "POST", "app": "game", "status": 403, "count": None}).encode()
    urlopen(Request(f"{amplitude}/fake/faults", fault, {"Content-Type": "application/json"}), timeout=5).close()
    dsr("submit", "erase", "-p", "game", "-u", "jane-roe")
    wait_for(lambda: "One thing needs you" in get(url)[0])
    html, headers = get(url)
    assert "<b><bdi>game</bdi></b>: Amplitude refuses the keys." in html
    assert headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert not re.search("jane|john|[0-9a-f]{8}-[0-9a-f]{4}", html)
    urlopen(Request(f"{amplitude}/fake/faults", method="DELETE"), timeout=5).close()
    wait_for(lambda: "Everything flows" in get(url)[0])
    with pytest.raises(HTTPError, match="405"):
        urlopen(Request(url, b"", method="POST"), timeout=5)


@pytest.fixture
async def tab(tmp_path):
    """A page of a headless Chromium: `ask` it by the DevTools protocol; `events` is what it says by itself."""
    flags = [*FLAGS.split(), f"--user-data-dir={tmp_path / 'profile'}", "--remote-debugging-port=0", "about:blank"]
    browser = await asyncio.create_subprocess_exec(CHROMIUM, *flags, stderr=subprocess.DEVNULL)
    try:
        port = tmp_path / "profile" / "DevToolsActivePort"
        await asyncio.to_thread(wait_for, lambda: port.exists() and port.read_text().count("\n"))
        where = f"http://127.0.0.1:{port.read_text().splitlines()[0]}/json/list"
        async with aiohttp.ClientSession() as http:
            async with http.get(where) as answer:
                (target,) = [each for each in await answer.json() if each["type"] == "page"]
            async with http.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                yield Tab(socket)
    finally:
        browser.kill()
        await browser.wait()


class Tab:
    def __init__(self, socket):
        self._socket, self._number, self.events = socket, 0, []

    async def ask(self, method, **parameters):
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while (told := await self._socket.receive_json(timeout=20)).get("id") != self._number:
            self.events.append(told)
        return told["result"]

    async def hear(self, method):
        while not any(event["method"] == method for event in self.events):
            self.events.append(await self._socket.receive_json(timeout=20))


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
async def test_it_fits_a_phone_and_a_screen_and_the_browser_has_nothing_to_say(url, tab):
    """Nothing is wider than the window; no policy is broken; nothing else is asked for but the browser's own icon."""
    dsr("submit", "erase", "-p", "shop", "-u", "u-1")
    for domain in ("Page", "Log", "Network", "Runtime"):
        await tab.ask(f"{domain}.enable")
    for width in (390, 1280):
        tab.events.clear()
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 1000}
        await tab.ask("Emulation.setDeviceMetricsOverride", **screen)
        await tab.ask("Page.navigate", url=url)
        await tab.hear("Page.loadEventFired")
        measured = await tab.ask("Runtime.evaluate", expression=MEASURED, returnByValue=True)
        wide, window, heading = measured["result"]["value"]
        assert wide <= window == width
        assert heading
        asked = {e["params"]["request"]["url"] for e in tab.events if e["method"] == "Network.requestWillBeSent"}
        assert asked <= {url, f"{url}favicon.ico"}
        assert [] == [
            e for e in tab.events if e["method"] in {"Log.entryAdded", "Runtime.exceptionThrown"} and _ours(e)
        ]


def _ours(event):
    return "favicon" not in json.dumps(event)
