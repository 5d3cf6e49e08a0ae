#!/usr/bin/env python3
"""Traces of runs are the same each time, and are what Perfetto expects: decoded again with protoc.

    perfetto_trace_test.py HIGHWATER PROTOC SOURCE_ROOT
"""

import collections
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

HIGHWATER, PROTOC, SOURCE = sys.argv[1:4]
SCENARIO = pathlib.Path(SOURCE) / "scenarios/cluster/leader-crash.yaml"


def trace(folder, name):
    path = pathlib.Path(folder) / name
    subprocess.run([HIGHWATER, "trace", SCENARIO, "--seed", "3", "-o", path], check=True, capture_output=True)
    return path.read_bytes()


def parse(lines):
    """Protobuf's text format as nested {field: [values]}."""
    message = collections.defaultdict(list)
    for line in lines:
        line = line.strip()
        if line == "}":
            return message
        if line.endswith("{"):
            message[line[:-1].strip()].append(parse(lines))
        else:
            name, value = re.match(r"(\w+): (.*)", line).groups()
            message[name].append(value.strip('"'))
    return message


def decode(data):
    text = subprocess.run(
        [PROTOC, "--decode=highwater.perfetto.Trace", "-I", SOURCE, f"{SOURCE}/reports/perfetto/trace.proto"],
        input=data, check=True, capture_output=True).stdout.decode()
    return parse(iter(text.splitlines()))["packet"]


class PerfettoTraceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            cls.data = trace(folder, "a.pftrace")
            cls.again = trace(folder, "b.pftrace")
        cls.packets = decode(cls.data)
        cls.tracks = {t["uuid"][0]: t for p in cls.packets for t in p["track_descriptor"]}
        cls.names = {n["iid"][0]: n["name"][0]
                     for p in cls.packets for d in p["interned_data"] for n in d["event_names"]}
        cls.events = [(int(p["timestamp"][0]), e) for p in cls.packets for e in p["track_event"]]

    def name(self, event):
        return self.names[event["name_iid"][0]]

    def test_equal_runs_give_equal_bytes(self):
        self.assertEqual(self.data, self.again)

    def test_each_broker_is_a_process_with_its_tracks_below_it(self):
        processes = {t["process"][0]["process_name"][0]: uuid for uuid, t in self.tracks.items() if t["process"]}
        self.assertEqual(list(processes)[0], "faults")
        brokers = [name for name in processes if name.startswith("broker-")]
        self.assertEqual(len(brokers), 3)
        for broker in brokers:
            below = {t["name"][0] for t in self.tracks.values() if t["parent_uuid"] == [processes[broker]]}
            self.assertLessEqual({"replication", "controller", "disk", "requests", "network"}, below)
            self.assertTrue(any(name.startswith("log end offset orders-") for name in below), below)
        pids = [t["process"][0]["pid"][0] for t in self.tracks.values() if t["process"]]
        self.assertEqual(len(pids), len(set(pids)))
        self.assertNotIn("0", pids)

    def test_counters_are_on_tracks_of_their_own(self):
        counted = set()
        for _, event in self.events:
            track = self.tracks[event["track_uuid"][0]]
            self.assertEqual(event["type"] == ["TYPE_COUNTER"], bool(track["counter"]))
            if track["counter"]:
                counted.add(re.sub(r" [\w.]+-\d+$", "", track["name"][0]))
        self.assertLessEqual({"high watermark", "isr size", "log end offset"}, counted)

    def test_slices_nest_and_times_ascend(self):
        depth = collections.Counter()
        last = 0
        for time, event in self.events:
            self.assertLessEqual(last, time)
            last = time
            step = {"TYPE_SLICE_BEGIN": 1, "TYPE_SLICE_END": -1}.get(event["type"][0], 0)
            track = event["track_uuid"][0]
            depth[track] += step
            self.assertIn(depth[track], (0, 1), self.tracks[track]["name"])
        self.assertEqual(set(depth.values()), {0})

    def test_messages_that_arrive_are_joined_by_flows(self):
        sent = {f: (time, self.name(e)) for time, e in self.events for f in e["flow_ids"]}
        received = {f: (time, self.name(e)) for time, e in self.events for f in e["terminating_flow_ids"]}
        self.assertEqual(set(sent), set(received))
        for flow, (time, name) in received.items():
            self.assertLessEqual(sent[flow][0], time)
            self.assertEqual(sent[flow][1], name)
        called = {name for _, name in sent.values()}
        self.assertLessEqual({"Produce", "Produce answer", "Fetch", "Fetch answer", "LeaderAndIsr"}, called)

    def test_the_crash_is_a_slice_of_the_faults(self):
        faults = {uuid for uuid, t in self.tracks.items() if t["name"] == ["faults"]}
        hits = [self.name(e) for _, e in self.events
                if e["track_uuid"][0] in faults and e["type"] == ["TYPE_SLICE_BEGIN"]]
        self.assertTrue(any("crashes" in hit for hit in hits), hits)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
