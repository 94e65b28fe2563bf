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

from bench import audience, dispatch, imports, landing, search, world  # noqa: E402

BENCHMARKS = {"audience": audience, "dispatch": dispatch, "import": imports, "landing": landing, "search": search}


def main() -> int:
    names = sys.argv[1:] or list(BENCHMARKS)
    results = {}
    print(f"{'name':<18}{'measured':>12}{'floor':>12}{'ratio':>8}{'goal':>8}")
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
