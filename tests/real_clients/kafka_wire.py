"""The little of Kafka's protocol that a test needs which must know exactly what was acknowledged: one connection, one request at a time."""

import socket
import struct
import time

CRC_TABLE = []
for _n in range(256):
    for _ in range(8):
        _n = (_n >> 1) ^ (0x82F63B78 if _n & 1 else 0)
    CRC_TABLE.append(_n)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def varint(n):
    n = (n << 1) ^ (n >> 63)
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def string(text):
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def record_batch(values):
    now = int(time.time() * 1000)
    records = b""
    for i, value in enumerate(values):
        record = b"\0" + varint(0) + varint(i) + varint(-1) + varint(len(value)) + value + varint(0)
        records += varint(len(record)) + record
    tail = struct.pack(">hiqqqhii", 0, len(values) - 1, now, now, -1, -1, -1, len(values)) + records
    return struct.pack(">qiibI", 0, len(tail) + 9, -1, 2, crc32c(tail)) + tail


class Connection:
    def __init__(self, port, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.correlation = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, key, version, body):
        self.correlation += 1
        request = struct.pack(">hhi", key, version, self.correlation) + string("test") + body
        self.socket.sendall(struct.pack(">i", len(request)) + request)

    def exactly(self, n):
        data = b""
        while len(data) < n:
            part = self.socket.recv(n - len(data))
            if not part:
                raise ConnectionError("the broker closed the connection")
            data += part
        return data

    def receive(self):
        """The body of the next answer."""
        answer = self.exactly(struct.unpack(">i", self.exactly(4))[0])
        if struct.unpack_from(">i", answer)[0] != self.correlation:
            raise AssertionError("an answer to another request")
        return answer[4:]

    def call(self, key, version, body):
        self.send(key, version, body)
        return self.receive()

    def produce(self, topic, values, acks, version=3):
        """Returns (error code, base offset); with acks=0 nothing."""
        batch = record_batch(values)
        body = struct.pack(">hhi", -1, acks, 10000) + struct.pack(">i", 1) + string(topic)
        body += struct.pack(">iii", 1, 0, len(batch)) + batch
        self.send(0, version, body)
        if acks == 0:
            return None
        answer = self.receive()
        at = 4 + 2 + len(topic) + 4 + 4
        return struct.unpack_from(">hq", answer, at)

    def create_topic(self, name, partitions, configs=(), replicas=1):
        body = struct.pack(">i", 1) + string(name) + struct.pack(">ihii", partitions, replicas, 0, len(configs))
        for key, value in configs:
            body += string(key) + string(value)
        body += struct.pack(">i?", 10000, False)
        answer = self.call(19, 1, body)
        return struct.unpack_from(">h", answer, 4 + 2 + len(name))[0]

    def delete_topic(self, name):
        answer = self.call(20, 0, struct.pack(">i", 1) + string(name) + struct.pack(">i", 10000))
        return struct.unpack_from(">h", answer, 4 + 2 + len(name))[0]

    def leader(self, topic, partition=0):
        """The leader of a partition as this broker knows it, or None: it says that there is none, or knows no such topic."""
        answer = Reader(self.call(3, 1, struct.pack(">i", 1) + string(topic)))
        for _ in range(answer.take("i")):  # brokers
            answer.take("i"), answer.text(), answer.take("i"), answer.text()
        answer.take("i")  # the controller
        for _ in range(answer.take("i")):
            answer.take("h"), answer.text(), answer.take("?")
            for _ in range(answer.take("i")):
                _, index, leader = answer.take("h"), answer.take("i"), answer.take("i")
                for _ in range(2):  # replicas, in-sync replicas
                    answer.take(f"{answer.take('i')}i")
                if index == partition and leader >= 0:
                    return leader
        return None


class Reader:
    """An answer, field by field."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, fields):
        values = struct.unpack_from(">" + fields, self.data, self.at)
        self.at += struct.calcsize(">" + fields)
        return values[0] if len(values) == 1 else values

    def text(self):
        length = self.take("h")
        self.at += max(length, 0)
        return self.data[self.at - max(length, 0):self.at].decode()
