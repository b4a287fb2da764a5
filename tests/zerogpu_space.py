"""A Space on ZeroGPU without a GPU: `spaces` as it is, over a device interface on loopback that lends what it is told.

`python -m tests.zerogpu_space REPORT` serves the page; what the interface was asked goes to REPORT, a line each, and
what it may lend it reads from REPORT.left: a number of loans.
"""

import json
import os
import sys
import threading
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit


class Device(BaseHTTPRequestHandler):
    """Lends a GPU as often as it may, then refuses as the platform does."""

    def do_POST(self):
        place = urlsplit(self.path)
        asked = dict(parse_qsl(place.query)) | {"path": place.path}
        with REPORT.open("a") as file:
            file.write(json.dumps(asked) + "\n")
        if place.path != "/schedule":
            return self.answer(200, {})
        left = int(ALLOWANCE.read_text())
        if not left:
            return self.answer(429, {"left": 12, "wait": 11_520})
        ALLOWANCE.write_text(str(left - 1))
        self.answer(200, {"idle": False, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "allowed"})

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve_device():
    """Starts the interface and tells `spaces` of it; what would touch CUDA does nothing."""
    device = ThreadingHTTPServer(("127.0.0.1", 0), Device)
    threading.Thread(target=device.serve_forever, daemon=True).start()
    group = REPORT.with_suffix(".group")
    group.write_text("0::/space\n")
    os.environ |= {
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": f"http://127.0.0.1:{device.server_address[1]}",
        "ZEROGPU_PROC_SELF_CGROUP_PATH": str(group),
    }
    nothing = {name: lambda *_, **__: None for name in ("enter_mode", "patch", "unpatch", "init", "move")}
    nothing |= {"pack": lambda: 0, "size": lambda: 0, "is_in_bad_fork": lambda: False}
    sys.modules["spaces.zero.torch.patching"] = types.SimpleNamespace(**nothing)


if __name__ == "__main__":
    REPORT = Path(sys.argv[1])
    ALLOWANCE = REPORT.with_suffix(".left")
    serve_device()
    from seglab import ui
    from seglab.jobs import zerogpu

    zerogpu.LOAN, zerogpu.SPARE, zerogpu.RETRY = map(float, sys.argv[2:5])
    ui.launch(prevent_thread_lock=False)
