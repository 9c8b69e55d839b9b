#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Merges the lines of a GPU run into FOLDER/<device>.json and FOLDER/<device>.md.

Usage: gpu_report.py FOLDER LINES.jsonl... [--command TEXT]
The lines are those of gpu_bench, gpu_torch.py and tools/gpu_check; lines cut off in the middle are left out.
"""
import argparse
import json
import math
import pathlib
import re
import sys

GROUPS = [("head", "ASPP heads"), ("network", "Whole networks"), ("pyramid", "Pyramids of convolutions of one map"),
          ("depthwise", "Depthwise convolutions"), ("separable", "Depthwise, then 1x1 convolutions"), ("conv", "Convolutions"), ("pool", "Pooling"),
          ("resize", "Resizing"), ("labels", "Scores to labels at the photo's size")]


def read_lines(paths):
    lines = []
    for path in paths:
        for text in pathlib.Path(path).read_text(errors="replace").splitlines():
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict) and "kind" in line:
                lines.append(line)
    return lines


def side_of(implementation):
    """Whose work a measurement is: "atrous", "cudnn" or "torch"."""
    if "cudnn" in implementation:
        return "cudnn"
    return "torch" if implementation.startswith("torch") else "atrous"


def ceilings(lines):
    """The highest rates that any program reached in copying (bytes/s) and multiplying (FLOP/s)."""
    best = {"copy": 0.0, "matmul": 0.0}
    for line in lines:
        if line["kind"] == "case" and line["group"] == "ceiling":
            which, amount = ("copy", "bytes") if line["name"].startswith("copy") else ("matmul", "flops")
            best[which] = max(best[which], line[amount] / line["median_us"] * 1e6)
    return best


def key_of(line):
    return (line["group"], line["name"], str(line.get("input", "")), line["dtype"])


def rows_of(lines, best):
    """A row a case: the fastest measurement of each side, ratios of the peers' time to ours, shares of the ceilings."""
    cases = {}
    for line in lines:
        if line["kind"] in ("case", "network") and line["group"] != "ceiling":
            cases.setdefault(key_of(line), []).append(line)
    rows = []
    for (group, name, shape, dtype), measured in cases.items():
        row = {"group": group, "name": name + (f" {shape}" if shape else ""), "dtype": dtype, "measured": measured}
        for line in measured:
            side = side_of(line["implementation"])
            if side not in row or line["median_us"] < row[side]["median_us"]:
                row[side] = line
        ours, peers = row.get("atrous"), [row[p] for p in ("cudnn", "torch") if p in row]
        row["winner"] = min(measured, key=lambda line: line["median_us"])["implementation"]
        if ours:
            seconds = ours["median_us"] * 1e-6
            if peers:
                row["ratio"] = min(line["median_us"] for line in peers) / ours["median_us"]
            if best["matmul"] and ours.get("flops"):
                row["share_of_matmul"] = ours["flops"] / seconds / best["matmul"]
            if best["copy"] and ours.get("bytes"):
                row["share_of_copy"] = ours["bytes"] / seconds / best["copy"]
        rows.append(row)
    return rows


def geometric_mean(values):
    return math.exp(sum(math.log(v) for v in values) / len(values)) if values else None


def microseconds(line):
    if line is None:
        return "-"
    median = line["median_us"]
    spread = 100 * (line["high_us"] - line["low_us"]) / median
    return f"{median:.1f} ±{spread / 2:.0f} %"


def share(row, key):
    return f"{100 * row[key]:.0f} %" if key in row else "-"


def table(rows):
    yield "| case | type | atrous µs | by | cuDNN µs | PyTorch µs | ratio | of matmul | of copy | fastest |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for row in rows:
        ours = row.get("atrous")
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else "-"
        yield (f"| {row['name']} | {row['dtype']} | {microseconds(ours)} | {ours['implementation'] if ours else '-'} | "
               f"{microseconds(row.get('cudnn'))} | {microseconds(row.get('torch'))} | {ratio} | "
               f"{share(row, 'share_of_matmul')} | {share(row, 'share_of_copy')} | {row['winner']} |")


def tests_of(lines):
    tests = [line for line in lines if line["kind"] == "test"]
    tools = sorted({line["tool"] for line in tests})
    for tool in tools:
        results = [line for line in tests if line["tool"] == tool]
        counts = {s: sum(1 for line in results if line["status"] == s) for s in ("passed", "failed", "cut off", "absent")}
        yield f"- {tool}: " + ", ".join(f"{n} {s}" for s, n in counts.items() if n)
        for line in results:
            if line["status"] != "passed":
                yield f"  - {line['test']}: {line['status']}"


def markdown(device, torch, command, best, rows, lines):
    yield f"# {device['name']}"
    yield ""
    yield f"- Device: {device['backend']}, {device['multiprocessors']} multiprocessors, {device['memory'] / 2**30:.0f} GiB"
    if torch:
        yield f"- PyTorch {torch['torch']}, CUDA {torch['cuda']}, cuDNN {torch['cudnn']}"
    else:
        yield "- PyTorch was not measured"
    yield f"- Command: `{command}`"
    yield f"- Ceilings measured in the run: copy {best['copy'] / 1e9:.0f} GB/s, matmul {best['matmul'] / 1e12:.0f} TFLOP/s"
    yield ""
    yield "Medians; ± is half of what lies between the slowest and the fastest round. Ratio: the faster peer's time over ours,"
    yield "above 1 where atrous is faster. \"Of matmul\" counts the multiplications with padding, which skipped taps leave out."
    tests = list(tests_of(lines))
    if tests:
        yield from ["", "## Tests", "", *tests]
    for group, title in GROUPS:
        chosen = [row for row in rows if row["group"] == group]
        if not chosen:
            continue
        yield from ["", f"## {title}", ""]
        mean = geometric_mean([row["ratio"] for row in chosen if "ratio" in row])
        if mean:
            yield from [f"Geometric mean of the ratios: {mean:.2f}.", ""]
        yield from table(chosen)
    errors = [line for line in lines if line["kind"] == "error"]
    if errors:
        yield from ["", "## Not measured", ""]
        for line in errors:
            yield f"- {line['name']} ({line.get('implementation', 'atrous')}): {line['reason']}"


def slug(name):
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def report(folder, paths, command):
    """Writes both files and returns their common path without the extension."""
    lines = read_lines(paths)
    device = next((line for line in lines if line["kind"] == "device"), None)
    if device is None:
        raise SystemExit("gpu_report: no line names the device; did gpu_bench run?")
    torch = next((line for line in lines if line["kind"] == "torch"), None)
    best = ceilings(lines)
    rows = rows_of(lines, best)
    to = pathlib.Path(folder) / slug(device["name"])
    document = {"device": device, "torch": torch, "command": command, "ceilings": best, "rows": rows,
                "tests": [line for line in lines if line["kind"] == "test"],
                "refusals": [line for line in lines if line["kind"] == "refusal"],
                "errors": [line for line in lines if line["kind"] == "error"]}
    to.with_suffix(".json").write_text(json.dumps(document, indent=1) + "\n")
    to.with_suffix(".md").write_text("\n".join(markdown(device, torch, command, best, rows, lines)) + "\n")
    return to


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("lines", nargs="+")
    parser.add_argument("--command", default="tools/gpu_check run")
    arguments = parser.parse_args()
    to = report(arguments.folder, arguments.lines, arguments.command)
    print(f"gpu_report: {to}.json and .md", file=sys.stderr)


if __name__ == "__main__":
    main()
