"""The slow service that the shops call for payments, receipts and texts about products.

Start it with `python -m shop_data.partner [PORT]`; PARTNER_SECONDS is the time of an answer.
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECONDS = float(os.environ.get("PARTNER_SECONDS", "0.2"))


class Partner(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        """A payment or a receipt."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.work(SECONDS)
        self.answer("application/json", json.dumps({"accepted": True}).encode())

    def do_GET(self):
        """A text about a product, one word after the other."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for word in ("a ", "fine ", "product", ""):  # an empty chunk is the end
            self.wfile.write(f"{len(word):x}\r\n{word}\r\n".encode())
            self.work(SECONDS / 4)

    def work(self, seconds):
        """Take as long as a payment provider or a language model."""
        time.sleep(seconds)

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nothing: the access log of the shop is enough."""


class PartnerServer(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8100
    PartnerServer(("127.0.0.1", port), Partner).serve_forever()
