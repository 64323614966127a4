#!/usr/bin/python3
"""The live run as its users have it: sources, ends of all kinds, what is left on the disk, and a page that bad clients cannot hurt.

usage: camera.py FOVEA MAKE_MODEL
"""
import http.client
import io
import json
import os
import signal
import socket
import subprocess
import threading
import time

import numpy
from PIL import Image, ImageDraw
from program import DONE, TRY_AGAIN, USAGE, main, scratch

FAILED = 1


def picture(k, size=(96, 64)):
    """A disc that walks over a gradient."""
    across = numpy.linspace(40, 160, size[0], dtype=numpy.uint8)
    image = Image.fromarray(numpy.stack([numpy.tile(across, (size[1], 1))] * 3, axis=2))
    x = 3 * k % (size[0] - 20)
    ImageDraw.Draw(image).ellipse([x, 20, x + 19, 39], fill=(230, 60, 50))
    return image


def jpeg(k, size=(96, 64)):
    file = io.BytesIO()
    picture(k, size).save(file, "JPEG", quality=90)
    return file.getvalue()


class Running:
    """`fovea camera ... --json` at work, and the events it has told."""

    def __init__(self, fovea, *arguments, feed=True):
        command = [fovea.file, "camera", *map(str, arguments), "--json"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE if feed else subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.events, self.errors = [], b""
        self.readers = [threading.Thread(target=self._read, daemon=True), threading.Thread(target=self._listen, daemon=True)]
        for r in self.readers:
            r.start()

    def _read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def _listen(self):
        self.errors = self.process.stderr.read()

    def wait_for(self, what, seconds=20):
        """The first event that `what` is true of."""
        end = time.time() + seconds
        while time.time() < end:
            for e in list(self.events):
                if what(e):
                    return e
            if self.process.poll() is not None and not self.readers[0].is_alive():
                break
            time.sleep(0.01)
        raise AssertionError(f"it did not come: {self.events[-3:]} {self.errors[-2000:]!r}")

    def event(self, name):
        return self.wait_for(lambda e: e["event"] == name)

    def stream(self, pictures, rate=30):
        """Sends them in the background as a camera would, once somebody looks."""
        self.event("status")

        def send():
            try:
                for p in pictures:
                    self.process.stdin.write(p)
                    self.process.stdin.flush()
                    time.sleep(1 / rate)
            except (BrokenPipeError, ValueError):
                pass
        threading.Thread(target=send, daemon=True).start()
        return self

    def processed(self, count):
        return self.wait_for(lambda e: e["event"] == "status" and e["processed"] >= count)

    def end(self, code, sent=signal.SIGTERM, within=5):
        began = time.time()
        if sent:
            self.process.send_signal(sent)
        got = self.process.wait(20)
        for r in self.readers:
            r.join(5)
        assert got == code, f"exit code {got}, expected {code}: {self.errors!r}"
        assert time.time() - began < within, f"it took {time.time() - began:.1f} s to end"
        return self.events[-1] if self.events else None


def endless(size=(96, 64)):
    k = 0
    while True:
        yield jpeg(k, size)
        k += 1


def whole_lines(file):
    """The events that were written; the last line may be cut where the program was killed."""
    *lines, rest = file.read_text().split("\n")
    seen = [json.loads(line) for line in lines]
    assert all(set(e) >= {"frame", "seconds", "age_ms", "objects", "events"} for e in seen), seen[:2]
    assert [e["frame"] for e in seen] == sorted({e["frame"] for e in seen})
    return seen, rest


def played(fovea, model, video, folder):
    """How many frames a video shows, looked at one by one."""
    out = folder / f"played-{video.stem}.jsonl"
    done = Running(fovea, video, "--model", model, "--headless", "--events", out, feed=False).end(DONE, sent=None, within=20)
    assert done["event"] == "summary" and done["state"] == "ended" and done["missed"] + done["captured"] > 0, done
    return done["captured"] + done["missed"]


def sources(fovea, folder, model):
    pictures, out = folder / "pictures", folder / "seen.mp4"
    pictures.mkdir()
    for k in range(12):
        picture(k).save(pictures / f"{k:02d}.png")
    run = Running(fovea, pictures, "--rate", 20, "--model", model, "--headless", "--record", out, "--events", folder / "seen.jsonl",
                  "--conf", 0, feed=False)
    done = run.end(DONE, sent=None, within=20)
    assert run.event("source")["text"] == f"{pictures}: 12 pictures, 20 pictures/s", run.events
    seen, rest = whole_lines(folder / "seen.jsonl")
    assert done["captured"] == 12 and len(seen) == done["processed"] and rest == "", done
    assert done["processed"] + done["dropped"] == 12 and done["processed"] > 6, done
    assert done["recorded"] == [str(out)] and seen[0]["objects"], done
    assert {"class", "score", "box"} <= set(seen[0]["objects"][0]), seen[0]
    frames = played(fovea, model, out, folder)
    assert frames == done["processed"] - done["not_recorded"], (frames, done)
    # People get a summary line, and nothing on standard output.
    told = fovea.run("camera", out, "--model", model, "--headless")
    assert told.stdout == "" and "ended: " in told.stderr and "frames/s" in told.stderr, told.stderr
    # A loop ends by its limit.
    assert Running(fovea, out, "--loop", "--limit", 1, "--model", model, "--headless", feed=False).end(DONE, sent=None)["state"] == "stopped"


def pipes(fovea, folder, model):
    """Motion JPEG whose size changes, with rubbish between; raw frames."""
    video = folder / "two.mp4"
    run = Running(fovea, "-", "--model", model, "--headless", "--record", video, "--events", folder / "two.jsonl")
    run.stream([jpeg(k) for k in range(6)] + [b"\xff\xd8 no picture \xff\xd9"] + [jpeg(k, (50, 80)) for k in range(6)])
    run.processed(11)
    run.process.stdin.close()
    done = run.end(DONE, sent=None)
    assert done["recorded"] == [str(video), str(folder / "two-2.mp4")] and done["state"] == "ended", done
    assert done["missed"] == 1 and done["captured"] == 12, done
    raw = Running(fovea, "-", "--raw", "32x24", "--model", model, "--headless")
    raw.stream([bytes(32 * 24 * 3)] * 5)
    raw.processed(4)
    raw.process.stdin.close()
    assert raw.end(DONE, sent=None)["captured"] == 5
    failed = Running(fovea, "-", "--model", model, "--headless")
    failed.process.stdin.write(b"this is no picture")
    failed.process.stdin.close()
    failed.end(FAILED, sent=None)
    assert b"expected JPEGs" in failed.errors, failed.errors


def ends(fovea, folder, model):
    """Told to end: what was recorded is whole. Killed: nothing has a name that it does not deserve."""
    for sent, code in ((signal.SIGTERM, DONE), (signal.SIGKILL, -signal.SIGKILL)):
        video, log = folder / f"end-{sent}.mp4", folder / f"end-{sent}.jsonl"
        run = Running(fovea, "-", "--model", model, "--headless", "--record", video, "--events", log).stream(endless())
        run.processed(20)
        last = run.end(code, sent=sent)
        seen, rest = whole_lines(log)
        assert len(seen) >= 20, seen
        assert video.exists() == (sent == signal.SIGTERM), sorted(folder.iterdir())
        if sent == signal.SIGTERM:
            assert rest == "" and len(seen) == last["processed"] and last["state"] == "stopped", last
            assert played(fovea, model, video, folder) == last["processed"] - last["not_recorded"]
            assert not list(folder.glob(".fovea-*")), list(folder.glob(".fovea-*"))


def closed_pipes(fovea, folder, model):
    video = folder / "closed.mp4"
    reader = subprocess.Popen([fovea.file, "camera", "-", "--model", str(model), "--headless", "--json", "--record", str(video)],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    while b'"status"' not in reader.stdout.readline():
        pass
    reader.stdout.close()
    try:
        for p in endless():
            reader.stdin.write(p)
            reader.stdin.flush()
            time.sleep(0.03)
    except BrokenPipeError:
        pass
    assert reader.wait(10) == -signal.SIGPIPE and video.exists(), reader.returncode
    fifo, video = folder / "fifo", folder / "fifo.mp4"
    os.mkfifo(fifo)
    opened = []
    threading.Thread(target=lambda: opened.append(open(fifo, "rb", buffering=0)), daemon=True).start()
    run = Running(fovea, "-", "--model", model, "--headless", "--events", fifo, "--record", video).stream(endless())
    run.processed(3)
    opened[0].close()
    run.end(TRY_AGAIN, sent=None)
    assert b"fifo: cannot write: whoever read it is gone" in run.errors and video.exists(), run.errors
    full = Running(fovea, "-", "--model", model, "--headless", "--events", "/dev/full").stream(endless())
    full.end(TRY_AGAIN, sent=None, within=20)
    assert b"/dev/full: cannot write: No space left" in full.errors, full.errors


def stalled(fovea, model):
    """Nothing comes any more: it says so, and ends at once when it is told."""
    run = Running(fovea, "-", "--model", model, "--headless").stream([jpeg(k) for k in range(3)])
    said = run.wait_for(lambda e: e["event"] == "status" and e["silent_seconds"] > 2 and e["processed"] >= 2)
    assert said["state"] == "running" and said["fps"] < 5, said
    assert run.end(DONE, within=2)["state"] == "stopped"


class Client:
    """A browser; `cookie` once it is let in."""

    def __init__(self, address):
        self.port = int(address.split(":")[2].split("/")[0])
        self.path = address[address.index("/", 8):]
        self.cookie = None

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        if self.cookie:
            headers["Cookie"] = self.cookie
        connection.request(method, path, body=body, headers=headers)
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read()

    def enter(self):
        status, headers, _ = self.ask("GET", self.path)
        if status == 303:
            self.cookie = headers["Set-Cookie"].split(";")[0]
        return status

    def follow(self, path="/stream", window=0):
        """A socket on which the stream comes, behind its head."""
        s = socket.socket()
        if window:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        s.settimeout(5)
        s.connect(("127.0.0.1", self.port))
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nCookie: {self.cookie}\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += s.recv(1)
        assert head.startswith(b"HTTP/1.1 200 "), head
        return s


def frames_in(s, seconds):
    """Pictures that a client gets in that time."""
    data, end = b"", time.time() + seconds
    while time.time() < end:
        data += s.recv(1 << 16)
    return data.count(b"X-Frame: ")


def slow_reader(s, stop):
    while not stop.is_set():
        try:
            s.recv(1)
        except OSError:
            return
        time.sleep(1)


def page(fovea, model):
    run = Running(fovea, "-", "--model", model, "--conf", 0, "--serve").stream(endless((320, 240)))
    address = run.event("page")["address"]
    client, other = Client(address), Client(address)
    for path in ("/", "/stream", "/settings", "/snapshot.jpg"):
        assert client.ask("GET", path)[0] == 401, path
    assert client.enter() == 303 and other.enter() == 401, "the token works once"
    again = run.wait_for(lambda e: e["event"] == "page" and e["address"] != address)["address"]
    assert Client(again).enter() == 303
    here = f"127.0.0.1:{client.port}"
    assert client.ask("GET", "/settings", Host="evil.example")[0] == 421
    assert client.ask("GET", "/settings", Origin="http://evil.example")[0] == 403
    assert client.ask("POST", "/settings", "{}", Origin="http://evil.example", **{"Content-Type": "application/json"})[0] == 403
    json_type = {"Content-Type": "application/json", "Origin": f"http://{here}"}
    assert client.ask("POST", "/settings", '{"layer": "' + "x" * 70_000 + '"}', **json_type)[0] == 413
    assert client.ask("POST", "/settings", '{"threshold": 7}', **json_type)[0] == 400
    settings = json.loads(client.ask("GET", "/settings")[2])
    assert settings["layers"][0] == settings["layer"] == "none" and len(settings["layers"]) > 1 and settings["threshold"] == 0, settings
    changed = json.dumps({"threshold": 1, "opacity": 1, "layer": settings["layers"][1]})
    assert client.ask("POST", "/settings", changed, **json_type)[0] == 200
    run.processed(40)
    plain = Image.open(io.BytesIO(client.ask("GET", "/snapshot.jpg")[2]))
    assert plain.size == (320, 240)
    bad_clients(run, client)
    assert run.end(DONE, within=3)["state"] == "stopped"


def bad_clients(run, client):
    """Bytes without sense, and eight that hardly read: the frame rate and whoever watches feel nothing of it."""
    good = client.follow()
    before, stop = frames_in(good, 1.5), threading.Event()
    for garbage in (os.urandom(5000), b"GET / HTTP/9.9\r\n\r\n", b"\0" * 100_000, b"POST /settings HTTP/1.1\r\nContent-Length: -1\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", client.port), timeout=5) as s:
            try:
                s.sendall(garbage)
                s.recv(1000)
            except OSError:
                pass
    slow = [client.follow(window=2048) for _ in range(8)]
    for s in slow:
        threading.Thread(target=slow_reader, args=(s, stop), daemon=True).start()
    time.sleep(1)
    after = frames_in(good, 1.5)
    assert json.loads(client.ask("GET", "/health")[2])["streams"] == 9
    status = run.events[-1]
    assert after > 0.7 * before and before > 10, (before, after)
    assert status["fps"] > 0.7 * status["captured_fps"], status
    stop.set()


def refusals(fovea, folder, model):
    text = folder / "text.txt"
    text.write_text("no camera")
    fovea.refuses("/dev/video233", "camera", "--device", 233, "--model", model)
    fovea.refuses(str(text), "camera", text, "--model", model)
    fovea.refuses("/dev/null", "camera", "/dev/null", "--model", model)
    fovea.refuses("missing.mp4", "camera", folder / "missing.mp4", "--model", model)
    fovea.refuses("got both", "camera", folder, "--device", 1)
    fovea.refuses("--raw is for standard input", "camera", folder, "--raw", "3x3")
    fovea.refuses("choose one of them", "camera", folder, "--headless", "--serve", "127.0.0.1:8080")
    fovea.refuses("standard output", "camera", folder, "--json", "--events", "-")
    fovea.refuses("is for upscale, which takes no streams; models for these tasks do: detect", "camera", folder / "pictures", "--model",
                  "photo-x2")
    fovea.refuses("reachable from other machines", "camera", folder / "pictures", "--model", model, "--serve", "0.0.0.0:0")
    secret = fovea.run("camera", "rtsp://me:hush@127.0.0.1:9/x", "--model", model, code=USAGE)
    assert "hush" not in secret.stderr and "rtsp://me:***@127.0.0.1:9/x" in secret.stderr, secret.stderr


def test(fovea, make_model):
    with scratch("camera") as folder:
        model = folder / "detector.safetensors"
        subprocess.run([make_model, model, "detect"], check=True)
        began = time.time()
        sources(fovea, folder, model)
        pipes(fovea, folder, model)
        ends(fovea, folder, model)
        closed_pipes(fovea, folder, model)
        stalled(fovea, model)
        page(fovea, model)
        refusals(fovea, folder, model)
        return f"live runs from five sources, ended in every way: {time.time() - began:.0f} s"


main(test)
