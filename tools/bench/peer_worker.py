# SPDX-License-Identifier: Apache-2.0
"""Times one ONNX model by one peer in a process of its own and prints JSON; the counterpart of `atrous bench --json`.

Usage: peer_worker.py PEER MODEL.onnx INPUT.npy THREADS ITERATIONS SECONDS OUTPUT.npy
"""
import importlib
import json
import pathlib
import sys
import time

import numpy as np


def onnxruntime(model, image, threads):
    import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_outputs()[0].name
    output = np.empty(session.get_outputs()[0].shape, np.float32)
    binding = session.io_binding()  # nothing is copied
    binding.bind_cpu_input(session.get_inputs()[0].name, image)
    binding.bind_output(name, "cpu", 0, np.float32, output.shape, output.ctypes.data)

    def run():
        session.run_with_iobinding(binding)
        return output
    return run


def openvino(model, image, threads):
    import openvino as ov
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = ov.Core().compile_model(model, "CPU", settings).create_infer_request()
    return lambda: request.infer([image], share_inputs=True, share_outputs=True)[0]


def pytorch(model, image, threads):
    import torch
    from onnx_torch import Network
    torch.set_num_threads(threads)
    torch._inductor.config.freezing = True  # weights are constants: batch norms fold, layouts are chosen
    network, image = torch.compile(Network(model).eval()), torch.from_numpy(image)

    def run():
        with torch.no_grad():
            return network(image).numpy()
    return run


PEERS = {"onnxruntime": onnxruntime, "openvino": openvino, "pytorch": pytorch}
MODULES = {"pytorch": "torch"}  # where its name is not the peer's


def peak_resident_bytes():
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    return 0


def main(peer, model, image, threads, iterations, seconds, output):
    importlib.import_module(MODULES.get(peer, peer))
    pixels, start = np.load(image), time.perf_counter()
    run = PEERS[peer](model, pixels, int(threads))
    result = run()  # warms up
    first = 1e3 * (time.perf_counter() - start)
    times = []
    while len(times) < int(iterations) and sum(times) < 1e3 * float(seconds):
        start = time.perf_counter()
        result = run()
        times.append(1e3 * (time.perf_counter() - start))
    np.save(output, result[0])
    print(json.dumps({"p50_ms": sorted(times)[len(times) // 2], "first_ms": first, "peak_rss_bytes": peak_resident_bytes()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
