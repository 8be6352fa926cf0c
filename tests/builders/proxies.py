"""A proxy that leads anywhere: CONNECT of HTTP and SOCKS5, with a login or without."""

import base64
import socket
import socketserver
import threading
from contextlib import contextmanager, suppress

LOGIN = ("ann", "pw")


class _Handler(socketserver.BaseRequestHandler):
    def handle(self):
        first = self.request.recv(1, socket.MSG_PEEK)
        target = self._socks() if first == b"\x05" else self._http()
        if target is not None:
            self._carry(target)

    def _read(self, count):
        found = b""
        while len(found) < count:
            piece = self.request.recv(count - len(found))
            if not piece:
                raise ConnectionError
            found += piece
        return found

    def _http(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._read(1)
        request, *lines = head.decode().split("\r\n")
        method, place, _ = request.split(" ")
        headers = dict(line.split(": ", 1) for line in lines if line)
        self.server.seen.append((method, place))
        pair = base64.b64encode(":".join(LOGIN).encode()).decode()
        if self.server.asks and headers.get("Proxy-Authorization") != f"Basic {pair}":
            self.request.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
            return None
        if method != "CONNECT":
            body = b'{"kind": "Told"}'
            length = f"Content-Length: {len(body)}".encode()
            self.request.sendall(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n\r\n" + body)
            return None
        host, _, port = place.rpartition(":")
        host = self.server.leads.get(host, host)
        target = socket.create_connection((host, int(port)), 10)
        self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return target

    def _socks(self):
        methods = self._read(self._read(2)[1])
        wanted = 2 if self.server.asks else 0
        self.request.sendall(bytes((5, wanted if wanted in methods else 255)))
        if wanted not in methods:
            return None
        if self.server.asks:
            name = self._read(self._read(2)[1])
            password = self._read(self._read(1)[0])
            right = (name.decode(), password.decode()) == LOGIN
            self.request.sendall(bytes((1, not right)))
            if not right:
                return None
        self._read(4)
        host = self._read(self._read(1)[0]).decode()
        port = int.from_bytes(self._read(2))
        self.server.seen.append(("SOCKS5", f"{host}:{port}"))
        try:
            target = socket.create_connection((host, port), 10)
        except OSError:
            self.request.sendall(bytes((5, 5, 0, 1, 0, 0, 0, 0, 0, 0)))
            return None
        self.request.sendall(bytes((5, 0, 0, 1, 0, 0, 0, 0, 0, 0)))
        return target

    def _carry(self, target):
        def copy(source, sink):
            try:
                while data := source.recv(1 << 16):
                    sink.sendall(data)
            except OSError:
                pass
            finally:
                for end in (source, sink):
                    with suppress(OSError):
                        end.shutdown(socket.SHUT_RDWR)

        back = threading.Thread(target=copy, args=(target, self.request))
        back.start()
        copy(self.request, target)
        back.join()
        target.close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Who went away is told to nobody."""


@contextmanager
def a_proxy(*, asks=False, leads=None):
    """Serve; `seen` has what was asked for, `port` where; `asks` for a login.

    `leads` are names that this proxy alone knows, and what they stand for.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    server.seen, server.asks, server.port = [], asks, server.server_address[1]
    server.leads = leads or {}
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
