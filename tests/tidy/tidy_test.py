#!/usr/bin/env python3
"""Sees that each rule of tidy.py catches what it is for."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import tidy  # noqa: E402


def findings(path, line):
    return [message for _, message in tidy.check_file(pathlib.Path(path), line)]


class TidyTest(unittest.TestCase):
    def test_broker_sees_core_only(self):
        self.assertEqual(findings("broker/server/x.cc", '#include "core/bytes.h"'), [])
        self.assertTrue(findings("broker/server/x.cc", '#include "sim/world.h"'))
        self.assertTrue(findings("broker/server/x.cc", '#include "core/os/loop.h"'))
        self.assertTrue(findings("broker/server/x.cc", "#include <thread>"))
        self.assertTrue(findings("broker/server/x.cc", "#include <unistd.h>"))

    def test_each_room_keeps_to_its_row(self):
        self.assertTrue(findings("core/x.cc", '#include "sim/world.h"'))
        self.assertTrue(findings("core/x.cc", '#include "core/os/loop.h"'))
        self.assertTrue(findings("sim/x.cc", '#include "broker/types.h"'))
        self.assertTrue(findings("invariants/x.cc", '#include "sim/world.h"'))
        self.assertEqual(findings("invariants/x.cc", '#include "broker/observer.h"'), [])
        self.assertTrue(findings("reports/x.cc", '#include "sim/world.h"'))
        self.assertEqual(findings("programs/x.cc", '#include "core/os/run.h"'), [])

    def test_chance_and_machine_are_banned_where_runs_must_repeat(self):
        for line in ("std::random_device d;", "auto t = time(nullptr);", "absl::Now();", "double x;",
                     "catch (...) {", "std::mt19937 g;", "getenv(\"X\");"):
            self.assertTrue(findings("sim/x.cc", line), line)
            self.assertEqual(findings("core/os/x.cc", line), [], line)
        self.assertEqual(findings("sim/x.cc", "// no double here, said the comment"), [])

    def test_nothing_is_left_unfinished(self):
        self.assertTrue(findings("scenarios/x.cc", "// TO" + "DO: later"))


if __name__ == "__main__":
    unittest.main()
