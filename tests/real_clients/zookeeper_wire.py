"""ZooKeeper's client protocol, as little as a test needs: jute values, requests, and replies as printable values.

    with Connection(port) as client:
        client.connect()
        print(client.call("create", string("/a") + buffer(b"x") + acls(OPEN) + integer(0)))
"""

import socket
import struct

OPS = {"create": 1, "delete": 2, "exists": 3, "getData": 4, "setData": 5, "getACL": 6, "setACL": 7, "getChildren": 8,
       "sync": 9, "ping": 11, "getChildren2": 12, "check": 13, "multi": 14, "create2": 15, "reconfig": 16,
       "checkWatches": 17, "removeWatches": 18, "createContainer": 19, "deleteContainer": 20, "createTTL": 21,
       "multiRead": 22, "auth": 100, "setWatches": 101, "sasl": 102, "getEphemerals": 103, "getAllChildrenNumber": 104,
       "setWatches2": 105, "addWatch": 106, "whoAmI": 107, "closeSession": -11}
OPEN = [(31, "world", "anyone")]


def integer(value):
    return struct.pack(">i", value)


def long(value):
    return struct.pack(">q", value)


def boolean(value):
    return b"\1" if value else b"\0"


def buffer(value):
    return integer(-1) if value is None else integer(len(value)) + value


def string(value):
    return buffer(None if value is None else value.encode())


def vector(items):
    return integer(-1) if items is None else integer(len(items)) + b"".join(items)


def acls(entries):
    return vector(None if entries is None else [integer(p) + string(s) + string(i) for p, s, i in entries])


def paths(names):
    return vector([string(name) for name in names])


class Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, size):
        if self.at + size > len(self.data):
            raise ValueError("the reply is too short")
        self.at += size
        return self.data[self.at - size:self.at]

    def integer(self):
        return struct.unpack(">i", self.take(4))[0]

    def long(self):
        return struct.unpack(">q", self.take(8))[0]

    def boolean(self):
        return self.take(1) != b"\0"

    def buffer(self):
        size = self.integer()
        return None if size < 0 else self.take(size)

    def string(self):
        value = self.buffer()
        return None if value is None else value.decode()

    def vector(self, read):
        size = self.integer()
        return None if size < 0 else [read() for _ in range(size)]

    def rest(self):
        return self.data[self.at:]


class Connection:
    """One connection. What depends on the server or the time is masked: session ids are numbered in the order in
    which the shared `sessions` list met them, times are dropped, children are sorted."""

    def __init__(self, port, sessions=None, timeout=30):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sessions = sessions if sessions is not None else [0]
        self.session = 0
        self.password = bytes(16)
        self.xid = 0
        self.events = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    # ---- Frames.

    def send(self, body):
        self.socket.sendall(integer(len(body)) + body)

    def receive(self):
        """A frame; None when the server closed the connection."""
        header = self.read(4)
        return None if header is None else self.read(struct.unpack(">i", header)[0])

    def read(self, size):
        data = b""
        while len(data) < size:
            try:
                chunk = self.socket.recv(size - len(data))
            except (ConnectionResetError, BrokenPipeError):
                return None
            if not chunk:
                return None
            data += chunk
        return data

    # ---- The handshake.

    def connect(self, timeout=30_000, session=0, password=bytes(16), last_zxid=0, read_only=False):
        body = integer(0) + long(last_zxid) + integer(timeout) + long(session) + buffer(password)
        if read_only is not None:
            body += boolean(read_only)
        self.send(body)
        reply = self.receive()
        if reply is None:
            return "closed"
        reader = Reader(reply)
        version, negotiated = reader.integer(), reader.integer()
        self.session, self.password = reader.long(), reader.buffer()
        return {"version": version, "timeout": negotiated, "session": self.number(self.session),
                "password": len(self.password or b""), "dead": self.password == bytes(16), "more": reader.rest().hex()}

    def number(self, session):
        if session not in self.sessions:
            self.sessions.append(session)
        return f"session {self.sessions.index(session)}"

    # ---- Requests.

    def request(self, op, body=b"", xid=None):
        """Sends one and does not wait; gives its xid."""
        if xid is None:
            self.xid += 1
            xid = self.xid
        self.send(integer(xid) + integer(OPS.get(op, op)) + body)
        return xid

    def call(self, op, body=b"", xid=None):
        """The reply's error and body, with the watch events that came before it."""
        xid = self.request(op, body, xid)
        return self.answer(op, xid)

    def answer(self, op, xid):
        events = []
        while True:
            frame = self.receive()
            if frame is None:
                return self.with_events(events, "closed")
            reader = Reader(frame)
            got, zxid, error = reader.integer(), reader.long(), reader.integer()
            if got == -1 and xid != -1:
                events.append(self.event(reader))
                continue
            if got != xid:
                return self.with_events(events, f"xid {got} in place of {xid}")
            if error != 0:
                return self.with_events(events, {"zxid": zxid, "error": error, "more": reader.rest().hex()})
            return self.with_events(events, {"zxid": zxid, "error": 0, "body": self.body(op, reader), "more": reader.rest().hex()})

    @staticmethod
    def with_events(events, reply):
        return (events, reply) if events else reply

    @staticmethod
    def event(reader):
        return {"event": reader.integer(), "state": reader.integer(), "path": reader.string()}

    def ping(self):
        """What came meanwhile, up to the reply of a ping."""
        return self.call("ping", xid=-2)

    def stat(self, reader):
        czxid, mzxid, _ctime, _mtime = (reader.long() for _ in range(4))
        version, cversion, aversion = (reader.integer() for _ in range(3))
        owner = reader.long()
        length, children, pzxid = reader.integer(), reader.integer(), reader.long()
        return {"czxid": czxid, "mzxid": mzxid, "version": version, "cversion": cversion, "aversion": aversion,
                "owner": self.number(owner), "length": length, "children": children, "pzxid": pzxid}

    def body(self, op, reader):
        def acl():
            return (reader.integer(), reader.string(), reader.string())

        def children():
            return sorted(reader.vector(reader.string))

        readers = {
            "create": lambda: reader.string(),
            "create2": lambda: (reader.string(), self.stat(reader)),
            "createContainer": lambda: (reader.string(), self.stat(reader)),
            "createTTL": lambda: (reader.string(), self.stat(reader)),
            "exists": lambda: self.stat(reader),
            "getData": lambda: (reader.buffer(), self.stat(reader)),
            "setData": lambda: self.stat(reader),
            "getACL": lambda: (reader.vector(acl), self.stat(reader)),
            "setACL": lambda: self.stat(reader),
            "getChildren": children,
            "getChildren2": lambda: (children(), self.stat(reader)),
            "sync": lambda: reader.string(),
            "getEphemerals": children,
            "getAllChildrenNumber": lambda: reader.integer(),
            "addWatch": lambda: reader.integer(),
            "whoAmI": lambda: sorted(reader.vector(lambda: (reader.string(), reader.string()))),
            "multi": lambda: self.results(reader),
            "multiRead": lambda: self.results(reader),
        }
        return readers.get(op, lambda: None)()

    def results(self, reader):
        results = []
        names = {code: name for name, code in OPS.items()}
        while True:
            kind, done, error = reader.integer(), reader.boolean(), reader.integer()
            if done:
                return results + [("end", kind, error)]
            if kind == -1:
                results.append(("error", error, reader.integer()))
            else:
                results.append((names[kind], error, self.body(names[kind], reader)))


# ---- Bodies of requests.

def create(path, data=b"", acl=OPEN, flags=0):
    return string(path) + buffer(data) + acls(acl) + integer(flags)


def create_ttl(path, ttl, flags=5, data=b"", acl=OPEN):
    return create(path, data, acl, flags) + long(ttl)


def delete(path, version=-1):
    return string(path) + integer(version)


def read(path, watch=False):
    return string(path) + boolean(watch)


def set_data(path, data=b"", version=-1):
    return string(path) + buffer(data) + integer(version)


def set_acl(path, acl, version=-1):
    return string(path) + acls(acl) + integer(version)


def multi(*ops):
    """Of (name, body)."""
    parts = [integer(OPS[name]) + boolean(False) + integer(-1) + body for name, body in ops]
    return b"".join(parts) + integer(-1) + boolean(True) + integer(-1)


def auth(scheme, data):
    return integer(0) + string(scheme) + buffer(data)


def set_watches(zxid, data=(), exist=(), child=()):
    return long(zxid) + paths(data) + paths(exist) + paths(child)


def set_watches2(zxid, data=(), exist=(), child=(), persistent=(), recursive=()):
    return set_watches(zxid, data, exist, child) + paths(persistent) + paths(recursive)
