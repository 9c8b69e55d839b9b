# SPDX-License-Identifier: Apache-2.0
"""Times one ONNX model in a process of its own and prints JSON; the counterpart of `atrous bench --json`.

Usage: onnxruntime_worker.py MODEL.onnx INPUT.npy THREADS ITERATIONS SECONDS [OUTPUT.npy]
"""
import json
import pathlib
import sys
import time

import numpy as np
import onnxruntime


def peak_resident_bytes():
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    return 0


def main(model, image, threads, iterations, seconds, output=None):
    idle = peak_resident_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = int(threads), 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feed = {session.get_inputs()[0].name: np.load(image)}
    result = session.run(None, feed)[0]  # warms up
    times = []
    while len(times) < int(iterations) and sum(times) < 1e3 * float(seconds):
        start = time.perf_counter()
        result = session.run(None, feed)[0]
        times.append(1e3 * (time.perf_counter() - start))
    if output:
        np.save(output, result[0])
    times.sort()
    print(json.dumps({"runs": len(times), "p50_ms": times[len(times) // 2], "min_ms": times[0],
                      "peak_rss_bytes": peak_resident_bytes(), "idle_rss_bytes": idle}))


if __name__ == "__main__":
    main(*sys.argv[1:])
