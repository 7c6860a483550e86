"""A local S3 server, and a proxy before it that loses, delays and refuses requests."""

import contextlib
import http.client
import http.server
import os
import threading

BUCKET = "runs-of-tests"
SECRET = "kEySoSecretThatNobodyMaySeeIt"
IDENTITY = "AKIATESTIDENTITY"


@contextlib.contextmanager
def s3_server():
    """Start it with an empty bucket; gives its address."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    connection = http.client.HTTPConnection(host, port)
    connection.request("PUT", f"/{BUCKET}")
    assert connection.getresponse().status == 200
    try:
        yield f"{host}:{port}"
    finally:
        server.stop()


def environment(address):
    """What a user's environment says about it."""
    return {
        "AWS_ACCESS_KEY_ID": IDENTITY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{address}",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def contents(address, prefix):
    """The objects of the bucket whose keys begin so: key -> content."""
    import obstore
    from obstore.store import S3Store

    given = environment(address)
    store = S3Store(
        BUCKET,
        access_key_id=IDENTITY,
        secret_access_key=SECRET,
        region="us-east-1",
        endpoint=given["AWS_ENDPOINT_URL"],
        client_options={"allow_http": True},
    )
    keys = [found["path"] for batch in obstore.list(store, prefix) for found in batch]
    return {key: bytes(obstore.get(store, key).bytes()) for key in keys}


class Proxy:
    """Passes requests on. `fault(method, path, number)` says what befalls each: "" or one of

    "busy" (answered 503), "lost" (the connection is dropped before the server hears of it), "silent" (dropped after the
    server has done it, before its answer), or a number of seconds to wait.
    """

    def __init__(self, address, fault=lambda method, path, number: ""):
        self.fault = fault
        self.answers = None
        """(status, text) in place of what the server says, if any."""
        self.drop_headers = ()
        self.asked = []
        self.befell = []
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else every answer waits for 40 ms between its head and its body

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                proxy.asked.append((self.command, self.path))
                fault = proxy.fault(self.command, self.path, len(proxy.asked))
                if fault:
                    proxy.befell.append(fault)
                if proxy.answers:
                    return self.answer(proxy.answers[0], {}, proxy.answers[1].encode())
                if fault == "busy":
                    return self.answer(503, {}, b"<Error><Code>SlowDown</Code></Error>")
                if fault == "lost":
                    return self.drop()
                if isinstance(fault, float):
                    threading.Event().wait(fault)
                headers = {k: v for k, v in self.headers.items() if k.lower() not in proxy.drop_headers}
                server = http.client.HTTPConnection(address)
                server.request(self.command, self.path, body, headers)
                found = server.getresponse()
                content = found.read()
                server.close()
                return (
                    self.drop() if fault == "silent" else self.answer(found.status, dict(found.getheaders()), content)
                )

            def drop(self):
                self.close_connection = True
                self.connection.close()

            def answer(self, status, headers, content):
                self.send_response(status)
                length = headers.get("Content-Length") if self.command == "HEAD" else str(len(content))
                for name, value in headers.items():
                    if name not in ("Content-Length", "Connection", "Transfer-Encoding", "Date", "Server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", length or "0")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = pass_on

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):  # a connection that was dropped on purpose
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def address(self):
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def set_environment(monkeypatch, address):
    """This process' own."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in environment(address).items():
        monkeypatch.setenv(name, value)
