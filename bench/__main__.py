"""`make bench`: each figure beside a floor measured in the same run, on the same server.

python -m bench [name …]
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("SECRET_KEY", "bench-only-secret-key-0123456789abcdefghij")
os.environ.setdefault("LINK_KEY", "bench-only-link-key-0123456789abcdefghijkl")
os.environ.setdefault("DIGEST_KEY", "bench-only-digest-key-0123456789abcdefghij")
os.environ.setdefault("DATA_DIR", str(Path(__file__).resolve().parent.parent / ".data" / "bench"))

import django

django.setup()

from bench import (  # noqa: E402
    audience,
    check,
    dispatch,
    imports,
    insights,
    landing,
    memory,
    replies,
    search,
    world,
)

BENCHMARKS = {
    "audience": audience,
    "dispatch": dispatch,
    "import": imports,
    "check": check,
    "landing": landing,
    "replies": replies,
    "insights": insights,
    "search": search,
}


def main() -> int:
    names = sys.argv[1:] or list(BENCHMARKS)
    results = {}
    print(f"{'name':<18}{'measured':>12}{'floor':>12}{'ratio':>8}{'goal':>8}")
    world.fresh_database()
    watch = memory.Watch()
    watch.start()
    for name in names:
        world.fresh_database()
        for row in BENCHMARKS[name].run():
            results[row["name"]] = row
            met = "met" if row["ratio"] <= row["goal"] else "MISSED"
            print(
                f"{row['name']:<18}{row['seconds']:>11.3f}s{row['floor_seconds']:>11.3f}s"
                f"{row['ratio']:>8.2f}{row['goal']:>8.1f}  {met}  {row['note']}",
                flush=True,
            )
    row = results["memory"] = watch.stop()
    met = "met" if row["grown_mib"] <= row["goal_mib"] else "MISSED"
    print(
        f"{'memory':<18}{row['mib']:>8.0f} MiB{row['floor_mib']:>8.0f} MiB{row['grown_mib']:>+8.0f}"
        f"{row['goal_mib']:>+8.0f}  {met}  {row['kind']}, the process that grew most"
    )
    path = Path(__file__).parent / "results.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**kept, **results}, indent=2) + "\n")
    return 0


def _cleanup() -> None:
    world.drop_database()


if __name__ == "__main__":
    code = main()
    _cleanup()
    sys.exit(code)
