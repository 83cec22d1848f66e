"""A name server whose answers a test changes, delays and stops, and a client that asks one question (RFC 1035)."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

A, AAAA = 1, 28
AUTHORITY = b"\x02ns\x00\x04root\x00" + struct.pack(">5I", 1, 3600, 600, 86400, 600)
RCODES = {0: "NODATA", 2: "SERVFAIL", 3: "NXDOMAIN"}


@dataclass
class NameServer:
    """What it is to answer. A name that it does not have does not exist; one that it has has no IPv6 address."""

    names: dict[str, str] = field(default_factory=dict)
    delay: float = 0
    silent: bool = False

    @contextmanager
    def listening(self, address: str, port: int) -> Iterator[None]:
        """Answers over UDP meanwhile."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind((address, port))
            serving = threading.Thread(target=self._serve, args=(server,), daemon=True)
            serving.start()
            try:
                yield
            finally:
                with suppress(OSError):  # "not connected", and yet it wakes who waits for a query
                    server.shutdown(socket.SHUT_RD)
                serving.join()  # until then the port is taken

    def _serve(self, server: socket.socket) -> None:
        while True:
            try:
                query, client = server.recvfrom(4096)
            except OSError:
                return  # closed
            if not client:
                return  # shut down
            if not self.silent:
                threading.Timer(self.delay, self._answer, (server, query, client)).start()

    def _answer(self, server: socket.socket, query: bytes, client: tuple[str, int]) -> None:
        end = query.index(b"\0", 12) + 5
        (kind,) = struct.unpack(">H", query[end - 4 : end - 2])
        address = self.names.get(name_in(query))
        if address and kind == A:
            counts, record = (1, 0), struct.pack(">HHHIH", 0xC00C, A, 1, 600, 4) + socket.inet_aton(address)
        else:
            counts, record = (0, 1), struct.pack(">HHHIH", 0xC00C, 6, 1, 600, len(AUTHORITY)) + AUTHORITY
        flags = 0x8580 if address else 0x8583
        with suppress(OSError):  # it no longer listens
            server.sendto(query[:2] + struct.pack(">5H", flags, 1, *counts, 0) + query[12:end] + record, client)


def name_in(message: bytes) -> str:
    """The name that a question asks for."""
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1 : at + 1 + message[at]].decode())
        at += message[at] + 1
    return ".".join(labels).lower()


@dataclass(frozen=True)
class Answer:
    """An address, or what was said instead."""

    said: str
    seconds: float


def ask(address: str, port: int, name: str, kind: int = A, timeout: float = 10) -> Answer:
    """One question, asked once."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    query = b"\x12\x34" + struct.pack(">5H", 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)
    began = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        client.connect((address, port))
        client.send(query)
        answer = client.recv(4096)
    answers = struct.unpack(">H", answer[6:8])[0]
    said = socket.inet_ntoa(answer[-4:]) if answers else RCODES[answer[3] & 15]
    return Answer(said, time.monotonic() - began)
