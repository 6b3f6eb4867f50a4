"""The drift page in a real browser: `browser.rs` beside `../api` starts it with a program and folders with models.

    page.py CHROMIUM PROGRAM IRIS OTHER HOSTILE WIDE PLAIN

Everything is asserted here. DRIFTLESS_SCREENSHOTS=FOLDER keeps pictures, for people.
"""

import base64
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.request

from checks import contrast, hosts, names, narrow, numbers, quiet, tabbed
from devtools import Browser, eventually

SHOTS = os.environ.get("DRIFTLESS_SCREENSHOTS")
DRIFT_S = 2.0
FEATURES = 4


def usual(count, width=FEATURES, first=0):
    """Rows like the reference of the fixture, in an order that has no meaning."""
    rows = [[4.5 + 0.05 * i, 2.0 + 0.04 * i, 1.0 + 0.1 * i, 0.1 + 0.05 * i] for i in (k * 17 % 50 for k in range(first, first + count))]
    return [(row * (width // FEATURES + 1))[:width] for row in rows]


def moved(count, columns, width=FEATURES):
    rows = usual(count, width)
    for row in rows:
        for column in columns:
            row[column] += 4.0
    return rows


class Server:
    def __init__(self, program, model, *flags, port=None):
        if port is None:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
        self.port, self.url = port, f"http://127.0.0.1:{port}"
        command = [program, "--model", model, "--listen", f"127.0.0.1:{port}", "--drain-seconds", "0", *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={})
        eventually("the server is ready", self.is_ready)

    def is_ready(self):
        try:
            return self.ask("/readyz")
        except OSError:
            return False

    def ask(self, path, body=None, headers=None, key=None):
        headers = dict(headers or {"content-type": "application/json"}) | ({"x-api-key": key} if key else {})
        request = urllib.request.Request(self.url + path, body, headers)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
            return json.loads(answer.read())

    def send(self, rows, key=None):
        return self.ask("/predict", json.dumps({"instances": rows}).encode(), key=key)

    def send_binary(self, rows):
        """float32 in binary, which may be NaN."""
        data = b"".join(struct.pack("<f", value) for row in rows for value in row)
        shape = [len(rows), len(rows[0])]
        put = {"name": "features", "datatype": "FP32", "shape": shape, "parameters": {"binary_data_size": len(data)}}
        head = json.dumps({"inputs": [put]}).encode()
        headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(head))}
        self.ask("/v2/models/iris-model/infer", head + data, headers)

    def status(self, key=None):
        return self.ask("/drift/status", key=key)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def shot(page, name):
    if SHOTS:
        pathlib.Path(SHOTS, f"{name}.png").write_bytes(base64.b64decode(page.picture()))


def state(page, word, seconds=30):
    page.wait(f"document.getElementById('verdict').className === '{word}' && document.getElementById('live').className === 'on'", seconds)


def rows_shown(page, total):
    page.wait(f"document.querySelector('#facts [data-field=total]')?.value === '{total}'")


def toggle(page, feature):
    page.js(f"document.querySelector('tr[data-feature=\"{feature}\"] .open').click()")


def from_first_row_to_end_of_drift(browser, program, model):
    page = browser.page()
    page.size(1000, 900)
    with Server(program, model) as server:
        page.open(server.url + "/drift")
        state(page, "collecting")
        server.send(usual(37))
        rows_shown(page, 37)
        assert page.js("document.getElementById('collected').value") == 37
        toggle(page, 2)
        assert page.js("document.querySelectorAll('figure[data-chart] svg').length") >= 2
        quiet(page)
        shot(page, "collecting")
        server.send(usual(80))
        state(page, "quiet")
        rows_shown(page, 117)
        numbers(page, server.status())
        shot(page, "quiet")

        begun = time.monotonic()
        server.send(moved(60, [2]))
        state(page, "drift")
        took = time.monotonic() - begun
        assert took < DRIFT_S, f"drift is shown after {took:.2f} s"
        rows_shown(page, 177)
        status = server.status()
        assert status["drift_detected"] and status["episode"]["open"]
        numbers(page, status)
        first = page.js("document.querySelector('#feature-table tbody tr').dataset.feature")
        assert first == "2", "what drifts is first"
        # What was open when rows moved is still open, and has the gap where the status has it.
        drawn = page.js("document.querySelector('#feature-2 .gap-line').dataset.gap")
        assert float(drawn) == status["features"]["feature_2"]["location"], drawn
        words = page.js("document.getElementById('movements').innerText")
        assert status["movements"][0]["words"] in words, words
        assert page.js("document.querySelectorAll('[data-episode]').length") == 1
        assert "cargo xtask status" in page.js("document.getElementById('episodes').innerText")
        look(page, "drifting")
        tabbed(page)
        quiet(page)
        hosts(page, server.url)

        first = iter(range(0, 100000, 7))
        eventually("the episode is over", lambda: server.send(usual(7, first=next(first))) and not server.status()["episode"]["open"])
        state(page, "quiet")
        page.wait("document.querySelector('[data-episode=\"1\"]').innerText.includes('closed by itself')")
        quiet(page)
        hosts(page, server.url)
    page.call("Page.close")
    return f"drift shown after {took:.2f} s"


def look(page, name):
    """In both schemes, and on a phone."""
    for scheme, background in (("dark", "rgb(13, 17, 23)"), ("light", "rgb(255, 255, 255)")):
        page.media(prefers_color_scheme=scheme, prefers_reduced_motion="reduce")
        assert page.js("getComputedStyle(document.body).backgroundColor") == background
        assert page.js("getComputedStyle(document.getElementById('verdict')).transitionDuration") == "0s"
        contrast(page)
        shot(page, f"{name}-{scheme}")
    names(page)
    page.size(360, 740, mobile=True)
    narrow(page, 360)
    shot(page, f"{name}-phone")
    page.size(1000, 900)


def a_key_is_asked_for(browser, program, model):
    page = browser.page()
    with Server(program, model, "--api-keys", "ada=secret-of-ada") as server:
        page.open(server.url + "/drift")
        for typed, said in (("wrong", "This key is not known here."), ("secret-of-ada", "")):
            page.wait("!document.getElementById('key').hidden && document.activeElement.id === 'key-text'")
            assert page.js("document.querySelector('main').hidden")
            names(page)
            page.call("Input.insertText", text=typed)
            page.enter()
            if said:
                page.wait(f"document.getElementById('key-problem').textContent === {json.dumps(said)}")
                shot(page, "key")
        state(page, "collecting")
        server.send(usual(120), key="secret-of-ada")
        state(page, "quiet")
        rows_shown(page, 120)
        numbers(page, server.status("secret-of-ada"))
        assert page.js("sessionStorage.length") == 1 and page.js("localStorage.length") == 0
        assert not any("secret" in url for url in page.requests), page.requests
        assert page.js("document.cookie") == ""
        # A refusal is logged by the browser itself; nothing else may be.
        quiet(page, allowed="status of 401")
        hosts(page, server.url)
        page.js("document.getElementById('forget').click()")
        page.wait("document.readyState === 'complete' && document.getElementById('key') && !document.getElementById('key').hidden")
        assert page.js("sessionStorage.length") == 0
    page.call("Page.close")
    return "asked for, kept in the tab, forgotten"


def no_faster_than_it_may(browser, program, model):
    page = browser.page()
    with Server(program, model, "--rate-limit-per-s", "2", "--rate-limit-burst", "1") as server:
        page.open(server.url + "/drift")
        state(page, "collecting", 60)
        quiet(page, allowed="status of 429")
        hosts(page, server.url)
    page.call("Page.close")
    return "waits as it is told"


def lost_and_replaced(browser, program, model, other):
    page = browser.page()
    with Server(program, model) as server:
        page.open(server.url + "/drift")
        server.send(usual(120))
        state(page, "quiet")
        old = page.js("document.querySelector('#facts code').title")
    page.wait("document.getElementById('live').textContent.startsWith('Not live since ')")
    assert page.js("document.getElementById('verdict').className") == "quiet", "the last state stays"
    names(page)
    shot(page, "lost")
    with Server(program, other, port=server.port) as server:
        state(page, "collecting", 60)
        note = page.js("document.getElementById('note').textContent")
        assert note.startswith("Another model is served since "), note
        assert page.js("document.querySelector('#facts code').title") not in ("", old)
        rows_shown(page, 0)
        shot(page, "replaced")
        quiet(page, allowed="net::ERR_")
        hosts(page, server.url)
    page.call("Page.close")
    return "said, retried, started anew"


def names_are_text(browser, program, model):
    page = browser.page()
    page.size(360, 740, mobile=True)
    with Server(program, model) as server:
        page.open(server.url + "/drift")
        gone = [[5.0, float("nan"), 2.0, 1.0]] * 120
        server.send_binary(gone)
        state(page, "drift")
        for feature in range(FEATURES):
            toggle(page, feature)
        status = server.status()
        assert status["features"]["feature_1"]["state"] == "no_values", status
        numbers(page, status)
        assert "▲ Drift, no values" in page.js("document.querySelector('tr[data-feature=\"1\"]').innerText")
        assert page.js("typeof hacked") == "undefined"
        assert page.js("document.querySelectorAll('#feature-table img, #feature-table script').length") == 0
        narrow(page, 360)
        names(page)
        contrast(page)
        quiet(page)
        hosts(page, server.url)
        shot(page, "hostile")
    page.call("Page.close")
    return "escaped"


def many_features(browser, program, model):
    page = browser.page()
    page.size(1000, 900)
    with Server(program, model) as server:
        server.send(usual(120, 100))
        page.open(server.url + "/drift")
        state(page, "quiet")
        begun = time.monotonic()
        server.send(moved(60, [70, 42], 100))
        state(page, "drift")
        took = time.monotonic() - begun
        rows_shown(page, 180)
        assert took < DRIFT_S, f"drift is shown after {took:.2f} s"
        order = page.js("[...document.querySelectorAll('#feature-table tbody tr')].map(row => row.dataset.feature)")
        assert len(order) == 100 and set(order[:2]) == {"42", "70"}, order
        assert page.js("document.querySelectorAll('#feature-table svg').length") == 0, "drawn when opened"
        # Among so many comparisons its distribution alone would not do.
        assert "▲ Drift, out of range" in page.js("document.querySelector('tr[data-feature=\"42\"]').innerText")
        numbers(page, server.status())
        page.js("document.querySelector('#feature-table thead button').click()")
        sorted_names = page.js("[...document.querySelectorAll('#feature-table .open')].map(name => name.textContent)")
        assert sorted_names == sorted(sorted_names), sorted_names
        assert page.js("document.querySelector('#feature-table th').getAttribute('aria-sort')") == "ascending"
        quiet(page)
        shot(page, "wide")
    page.call("Page.close")
    return f"drift shown after {took:.2f} s"


def nothing_to_compare(browser, program, model):
    page = browser.page()
    with Server(program, model) as server:
        page.open(server.url + "/drift")
        state(page, "none")
        assert "no drift reference" in page.js("document.getElementById('verdict').innerText")
        assert page.js("document.getElementById('features-section').hidden")
        names(page)
        quiet(page)
        hosts(page, server.url)
        shot(page, "without-reference")
    page.call("Page.close")
    return "said"


def main(chromium, program, iris, other, hostile, wide, plain):
    with Browser(chromium) as browser:
        for scenario, models in (
            (from_first_row_to_end_of_drift, [iris]),
            (a_key_is_asked_for, [iris]),
            (no_faster_than_it_may, [iris]),
            (lost_and_replaced, [iris, other]),
            (names_are_text, [hostile]),
            (many_features, [wide]),
            (nothing_to_compare, [plain]),
        ):
            print(f"{scenario.__name__}: {scenario(browser, program, *models)}", flush=True)


main(*sys.argv[1:])
