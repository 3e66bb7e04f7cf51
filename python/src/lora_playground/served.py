"""Serves the page that the wheel carries, and folders of adapters beside it, to this machine's browser alone. Knows nothing of widgets."""

import secrets
import shutil
import sys
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PAGE = Path(__file__).parent / "page"


class Handler(SimpleHTTPRequestHandler):
    """Files below `/<key>/`, whose key another page of the browser cannot guess."""

    extensions_map = {
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".json": "application/json",
        ".wasm": "application/wasm",
    }

    def __init__(self, *args, page, **kwargs):
        self.page = page
        super().__init__(*args, directory=str(page.folder), **kwargs)

    def translate_path(self, path):
        before = f"/{self.page.key}/"
        if not path.startswith(before):
            # Nothing is there.
            return str(self.page.nowhere)
        path = path[len(before) - 1 :]
        if path.startswith("/adapters/"):
            self.directory = str(self.page.beside)
        else:
            self.directory = str(self.page.folder)
        return super().translate_path(path)

    def end_headers(self):
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def list_directory(self, path):
        self.send_error(404, "there is no list of files")

    def log_message(self, *args):
        """A notebook's output is not the place."""


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A frame that was closed in the midst of an answer is no error of anybody's; others are told as ever."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Served:
    """The page of `folder`, served as long as the process lives. `address` ends in a slash."""

    def __init__(self, folder=PAGE):
        self.folder = Path(folder)
        if not (self.folder / "index.html").is_file():
            raise FileNotFoundError(
                f"{self.folder} has no index.html: the page is not in this installation. Install the wheel that `cargo xtask wheel` "
                "makes, or say where the page is served: address=\"https://…/\""
            )
        self.key = secrets.token_urlsafe(16)
        self.beside = Path(tempfile.mkdtemp(prefix="lora-playground-"))
        self.nowhere = self.beside / "nowhere"
        self.count = 0
        self.server = Server(("127.0.0.1", 0), partial(Handler, page=self))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}/{self.key}/"

    def room(self):
        """A new folder that is served, and its path from `address`."""
        self.count += 1
        path = f"adapters/{self.count}"
        folder = self.beside / path
        folder.mkdir(parents=True)
        return folder, path

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        shutil.rmtree(self.beside, ignore_errors=True)


_served = None


def served():
    """The one of this process."""
    global _served
    if _served is None:
        _served = Served()
    return _served
