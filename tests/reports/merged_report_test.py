#!/usr/bin/env python3
"""`highwater report` of shards says what one run of all their seeds says.

    merged_report_test.py HIGHWATER SOURCE_ROOT
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

HIGHWATER, SOURCE = sys.argv[1:3]
# The first is expected to lose records; so is, with another promise, what the test writes.
SCENARIO = "scenarios/single-broker/power-loss-default-flush.yaml"
HOST_TIMES = ("elapsed_s", "host_s")


def highwater(*arguments, **more):
    return subprocess.run([HIGHWATER, *map(str, arguments)], capture_output=True, text=True, **more)


def without_host_times(value):
    if isinstance(value, dict):
        return {k: without_host_times(v) for k, v in value.items() if k not in HOST_TIMES}
    return [without_host_times(v) for v in value] if isinstance(value, list) else value


class MergedReportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = pathlib.Path(cls.folder.name)
        expected = (pathlib.Path(SOURCE) / SCENARIO).read_text()
        # The same without its confession: now it fails.
        lines = [line for line in expected.splitlines() if not line.startswith("expect")]
        cls.scenario = cls.root / "loses.yaml"
        cls.scenario.write_text("\n".join(lines) + "\n")
        common = ("run", cls.scenario, "--seeds", "1..12", "--max-failures", "0", "-j", "1")
        cls.whole = highwater(*common, "-o", cls.root / "whole")
        for i in (1, 2, 3):
            highwater(*common, "--shard", f"{i}/3", "-o", cls.root / f"shard-{i}")
        cls.summary = cls.root / "step.md"
        cls.report = highwater("report", *(cls.root / f"shard-{i}" for i in (3, 1, 2)), "-o", cls.root / "merged",
                               "--github", env={**os.environ, "GITHUB_STEP_SUMMARY": str(cls.summary)})
        cls.merged = cls.root / "merged/latest"

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_the_sum_is_that_of_the_run_of_all_seeds(self):
        read = [json.loads((f / "summary.json").read_text()) for f in (self.root / "whole/latest", self.merged)]
        self.assertEqual(without_host_times(read[0]), without_host_times(read[1]))
        self.assertEqual(read[0]["seeds"], 12)

    def test_it_exits_as_the_run_did(self):
        self.assertEqual(self.whole.returncode, 1, self.whole.stderr)
        self.assertEqual(self.report.returncode, 1, self.report.stderr)

    def test_what_is_merged_can_be_merged_again_and_is_written_in_place(self):
        before = (self.merged / "report.html").read_text()
        (self.merged / "report.html").unlink()
        again = highwater("report", self.merged)
        self.assertEqual(again.returncode, 1, again.stderr)
        self.assertEqual(before.count("<svg"), (self.merged / "report.html").read_text().count("<svg"))

    def test_a_failure_keeps_its_trace_its_lanes_and_its_story(self):
        failure = next((self.merged / "failures").iterdir())
        for name in ("failure.txt", "case.cbor", "trace.pftrace", "scenario.yaml"):
            self.assertGreater((failure / name).stat().st_size, 0)
        self.assertIn("VIOLATION", (self.merged / "report.html").read_text())

    def test_junit_has_a_case_of_the_scenario_and_one_of_each_signature(self):
        suite = ElementTree.parse(self.merged / "junit.xml").getroot().find("testsuite")
        self.assertEqual(suite.get("tests"), str(len(suite.findall("testcase"))))
        self.assertGreaterEqual(len(suite.findall("testcase/failure")), 1)

    def test_github_gets_an_error_a_signature_and_a_summary(self):
        errors = [line for line in self.report.stdout.splitlines() if line.startswith("::error ")]
        self.assertTrue(errors and all(f"file={self.scenario},line=" in line for line in errors), self.report.stdout)
        summary = self.summary.read_text()
        self.assertIn("### The first failure", summary)
        self.assertLess(len(summary.encode()), 1 << 20)

    def test_what_is_no_folder_of_results_is_refused(self):
        self.assertEqual(highwater("report", self.root / "nowhere").returncode, 2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
