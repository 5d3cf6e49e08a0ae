#!/usr/bin/env python3
"""report.html in a real browser, as Jenkins serves it: no script, no style sheet, nothing else loaded.

    browser_test.py HIGHWATER SOURCE_ROOT [PICTURE.png]

Exits 77, which ctest shows as skipped, where there is no Chromium.
"""

import functools
import http.server
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading

HIGHWATER, SOURCE = sys.argv[1:3]
SCENARIO = "scenarios/single-broker/power-loss-default-flush.yaml"
requested = []


class AsJenkins(http.server.SimpleHTTPRequestHandler):
    def end_headers(self):
        self.send_header("Content-Security-Policy", "sandbox; default-src 'none'; img-src 'self'; style-src 'self'")
        super().end_headers()

    def log_message(self, *_):
        requested.append(self.path)


def chromium():
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if shutil.which(name):
            return name
    print("skipped: there is no Chromium here (Debian's package chromium)")
    sys.exit(77)


def main():
    browser = chromium()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([HIGHWATER, "run", f"{SOURCE}/{SCENARIO}", "--seeds", "1..6", "-j", "1", "-o", folder],
                       capture_output=True)  # so few seeds do not show all that is expected of them
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(AsJenkins, directory=f"{folder}/latest"))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        picture = pathlib.Path(folder) / "page.png"
        common = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                  f"--user-data-dir={folder}/profile", "--window-size=1500,6000"]
        url = f"http://127.0.0.1:{server.server_address[1]}/report.html"
        subprocess.run([*common, f"--screenshot={picture}", url], check=True, capture_output=True, timeout=120)
        dom = subprocess.run([*common, "--dump-dom", url], check=True, capture_output=True, timeout=120).stdout.decode()
        server.shutdown()
        if len(sys.argv) > 3:
            shutil.copy(picture, sys.argv[3])
        size = picture.stat().st_size
    assert size > 50_000, f"a picture of {size} bytes shows nothing"
    for words in ("Guarantees", "What led to it", "VIOLATION", "before: acknowledged", "How the run went"):
        assert words in dom, f"the page does not say: {words}"
    assert dom.count("<svg") >= 4, "a chart is missing"
    beside = {path for path in requested if "report.html" not in str(path) and "favicon" not in str(path)}
    assert not [path for path in beside if str(path).startswith("/")], f"the page loads {beside}"
    print("the page reads without scripts and style sheets")


main()
