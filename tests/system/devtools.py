"""A headless Chromium and one of its pages, driven over the DevTools protocol: a WebSocket, JSON in both directions."""
import base64
import contextlib
import json
import os
import shutil
import socket
import struct
import subprocess
import time
import urllib.request

from program import skip


def find_chromium():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return shutil.which(name)
    skip("no Chromium here: apt-get install chromium")


class WebSocket:
    """RFC 6455 as far as one client needs it: whole text messages."""

    def __init__(self, host, port, path):
        self.socket = socket.create_connection((host, port), timeout=30)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._take(1)
        assert b" 101 " in head.split(b"\r\n")[0], head

    def _take(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            assert more, "the browser closed the connection"
            data += more
        return data

    def send(self, text):
        data, mask = text.encode(), os.urandom(4)
        size = len(data)
        head = bytes([0x81, 0x80 | size]) if size < 126 else bytes([0x81, 0xFE]) + struct.pack(">H", size) if size < 1 << 16 \
            else bytes([0x81, 0xFF]) + struct.pack(">Q", size)
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def receive(self):
        message = b""
        while True:
            first, second = self._take(2)
            size = second & 0x7F
            if size > 125:
                size = struct.unpack(*((">H", self._take(2)) if size == 126 else (">Q", self._take(8))))[0]
            data = self._take(size)
            if first & 0x0F in (0, 1):  # a text, or what continues it; pings and the like are passed over
                message += data
                if first & 0x80:
                    return message.decode()


class Tab:
    """One page of the browser. `problems`: what its console says is wrong."""

    def __init__(self, port):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(request) as reply:
            url = json.load(reply)["webSocketDebuggerUrl"]
        self.socket = WebSocket("127.0.0.1", port, url[url.index("/devtools"):])
        self.number, self.problems = 0, []
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.receive())
            if message.get("id") == self.number:
                assert "error" not in message, (method, message)
                return message["result"]
            self._note(message)

    def _note(self, message):
        about = message.get("params", {})
        if message["method"] == "Runtime.exceptionThrown":
            self.problems.append(about["exceptionDetails"])
        elif message["method"] == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.problems.append(about["entry"])
        elif message["method"] == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.problems.append(about["args"])

    def value(self, script):
        """Of an expression, or of the promise that it gives."""
        done = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, (script, done)
        return done["result"].get("value")

    def wait_for(self, script, seconds=20):
        end = time.time() + seconds
        while not self.value(script):
            assert time.time() < end, f"it did not come true: {script}\n{self.problems}"
            time.sleep(0.05)

    def resize(self, width, height):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, file):
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@contextlib.contextmanager
def chromium(folder):
    """The port of a browser whose files lie in the folder."""
    profile = folder / "profile"
    process = subprocess.Popen([find_chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                                "--no-first-run", "--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end, told = time.time() + 60, profile / "DevToolsActivePort"
        while not (told.exists() and told.read_text().count("\n") >= 1):
            assert time.time() < end and process.poll() is None, "Chromium does not start"
            time.sleep(0.1)
        yield int(told.read_text().split("\n")[0])
    finally:
        process.terminate()
        process.wait(20)
