#!/usr/bin/env python3
"""Every event of broker/observer.h is passed on by broker/observer_list.h.

    observer_list_test.py SOURCE_ROOT
"""

import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1]) / "broker"
events = re.findall(r"virtual void (On\w+)\(", (root / "observer.h").read_text())
passed_on = re.findall(r"->(On\w+)\(", (root / "observer_list.h").read_text())
missing = sorted(set(events) - set(passed_on))
if missing or not events:
    sys.exit(f"not passed on by observer_list.h: {', '.join(missing)}")
