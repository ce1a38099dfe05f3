"""Cloud Storage in memory over real HTTP: what its JSON API answers to a listing and a download, in pages and by generation.

Paths and shapes are those of its published reference; Google's own client, which asks it, is the real one.
"""

import base64
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

_PAGE = 50  # objects; Cloud Storage's own has 1,000


class BucketServer:
    """The server and its memory.

    Attributes:
      objects: {bucket: {name: (content, generation)}}.
      requests: the paths that were asked for, with their queries, in order.
      refused: buckets that nobody may read.
      before_download: called with an object's name before it is sent.
    """

    def __init__(self):
        self.objects, self.requests, self.refused = {}, [], set()
        self.before_download = lambda name: None
        self._generation = 1_700_000_000_000_000
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc_info):
        self._server.shutdown()
        self._server.server_close()

    def put(self, bucket, name, content):
        """An object in place of the one that has had its name."""
        self._generation += 1
        self.objects.setdefault(bucket, {})[name] = (content, self._generation)

    def upload(self, folder, bucket, below=""):
        """All files of a folder."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(bucket, f"{below}{path.relative_to(folder).as_posix()}", path.read_bytes())

    def downloads(self):
        """The names of the objects that were downloaded, in order."""
        return sorted(unquote(path.partition("/o/")[2].partition("?")[0]) for path in self.requests if "/download/" in path)

    def answer(self, target):
        """(HTTP status, content type, body) of a GET."""
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        bucket, _, name = url.path.partition("/b/")[2].partition("/o")
        if bucket in self.refused:
            return _error(403, f"Anonymous caller does not have storage.objects.list access to {bucket}.")
        if bucket not in self.objects:
            return _error(404, "The specified bucket does not exist.")
        if "/download/" in url.path:
            return self._download(bucket, unquote(name.removeprefix("/")), query)
        return 200, "application/json", json.dumps(_listing(self.objects[bucket], query)).encode()

    def _download(self, bucket, name, query):
        self.before_download(name)
        content, generation = self.objects[bucket].get(name, (None, 0))
        if content is None:
            return _error(404, f"No such object: {bucket}/{name}")
        if int(query.get("ifGenerationMatch", generation)) != generation:
            return _error(412, "At least one of the pre-conditions you specified did not hold.")
        return 200, "application/octet-stream", content


def _listing(objects, query):
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
    entries = {}
    for name in sorted(objects):
        if name.startswith(prefix):
            head, found, _ = name.removeprefix(prefix).partition(delimiter) if delimiter else ("", "", "")
            entries[f"{prefix}{head}{delimiter}" if found else name] = bool(found)
    start = int(query.get("pageToken", 0))
    page = list(entries.items())[start : start + _PAGE]
    more = {"nextPageToken": str(start + _PAGE)} if start + _PAGE < len(entries) else {}
    items = [{"name": name, **_state(*objects[name])} for name, is_folder in page if not is_folder]
    return {"items": items, "prefixes": [name for name, is_folder in page if is_folder], **more}


def _state(content, generation):
    md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    return {"size": str(len(content)), "generation": str(generation), "md5Hash": md5}


def _error(status, message):
    return status, "application/json", json.dumps({"error": {"code": status, "message": message}}).encode()


def _handler(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            server.requests.append(self.path)
            status, kind, body = server.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    return Handler
