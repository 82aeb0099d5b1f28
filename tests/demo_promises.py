"""Hold what `make demo` promises against what a demo run committed: `python demo_promises.py FOLDER`."""

import json
import sys
from pathlib import Path

LEAST_SURE = 0.40


def main(folder: Path) -> None:
    points = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [point["step"] for point in points]
    assert steps == list(range(1, len(steps) + 1)), "a step is missing, or counted twice"
    sure = [point["digits-sure"] for point in points if "digits-sure" in point]
    assert sure[-1] >= LEAST_SURE, f"sure of {sure[-1]:.0%} of the digits only"
    assert sure[-1] > sure[0], f"the share does not rise: {sure}"
    trained_s = (points[-1]["at"] - points[0]["at"]) / 1000
    assert trained_s <= 300, f"trained for {trained_s:.0f} s"
    pictures = sorted((folder / "samples").glob("*.png"))
    assert len(pictures) >= 5, "there are too few pictures to see progress in"
    assert (folder / "generator.keras").stat().st_size > 1_000_000, "there is no generator"
    print(f"the demo: {len(steps):,} steps in {trained_s:.0f} s, sure of {sure[0]:.0%} → {sure[-1]:.0%}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
