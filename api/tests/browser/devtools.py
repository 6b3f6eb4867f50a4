"""Headless Chromium over its DevTools protocol: what a page loads, logs, shows, and says to assistive software."""

import json
import pathlib
import shutil
import subprocess
import tempfile
import time

from websockets.sync.client import connect

# For a browser that is to be ready, and for an answer of it.
START_S = 60
ANSWER_S = 30


def eventually(what, condition, seconds=30):
    """Polls until it holds; says how long that took."""
    begun = time.monotonic()
    while not (found := condition()):
        assert time.monotonic() - begun < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.02)
    return found


class Browser:
    def __init__(self, program):
        self.profile = tempfile.mkdtemp()
        flags = [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server",
            "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync",
            # A name that is looked up is one that is not this host.
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
            "--remote-debugging-port=0", f"--user-data-dir={self.profile}",
        ]
        self.process = subprocess.Popen([program, *flags, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = pathlib.Path(self.profile, "DevToolsActivePort")
        eventually("Chromium listens", lambda: port.exists() and len(port.read_text().splitlines()) == 2, START_S)
        number, path = port.read_text().splitlines()
        self.socket = connect(f"ws://127.0.0.1:{number}{path}", max_size=None, proxy=None)
        self.pages, self.asked = {}, 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(20)
        shutil.rmtree(self.profile, ignore_errors=True)

    def call(self, method, session=None, **parameters):
        self.asked += 1
        number = self.asked
        message = {"id": number, "method": method, "params": parameters}
        self.socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        deadline = time.monotonic() + ANSWER_S
        while True:
            said = json.loads(self.socket.recv(timeout=max(deadline - time.monotonic(), 0.01)))
            if said.get("id") == number:
                assert "error" not in said, (method, said["error"])
                return said["result"]
            if page := self.pages.get(said.get("sessionId")):
                page.hear(said["method"], said["params"])

    def page(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self.pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            page.call(f"{domain}.enable")
        return page


class Page:
    def __init__(self, browser, session):
        self.browser, self.session = browser, session
        self.requests, self.complaints, self.sent = [], [], []

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def hear(self, method, about):
        if method == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
            self.sent.append(about["request"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(about["exceptionDetails"])
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.complaints.append(about["args"])
        elif method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.complaints.append(about["entry"])

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def js(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, (expression, answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait(self, expression, seconds=30):
        try:
            return eventually(expression, lambda: self.js(expression), seconds)
        except AssertionError:
            print(self.js("document.body.innerText"), self.complaints)
            raise

    def press(self, key, code, text=None):
        common = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        typed = {"text": text} if text else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **common, **typed)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def tab(self):
        self.press("Tab", 9)

    def enter(self):
        self.press("Enter", 13, "\r")

    def media(self, **features):
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=named)

    def size(self, width, height, mobile=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def picture(self):
        """The whole page as PNG, in base64."""
        return self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]

    def unnamed(self):
        """What a screen reader would come upon without a name."""
        spoken = {"button", "link", "img", "image", "textbox", "progressbar", "table", "region", "form", "DisclosureTriangle", "columnheader", "rowheader"}
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        nodes = [node for node in nodes if not node["ignored"] and node["role"]["value"] in spoken]
        assert nodes, "the tree is empty"
        # A form or a section without a name is no landmark, and a table's corner may be empty.
        return [node["role"]["value"] for node in nodes if not node.get("name", {}).get("value")]
