# SPDX-License-Identifier: Apache-2.0
"""PyTorch's times for the cases of gpu_bench, as the same JSON lines.

Usage: gpu_torch.py LINES.jsonl NETWORKS.json [--seconds N]
LINES.jsonl is what gpu_bench printed: its cases are the ones measured here. channels_last, cudnn.benchmark, CUDA graphs;
torch.compile (max-autotune) for heads and networks of one image, last.
"""
import argparse
import json
import signal
import statistics
import sys
import time

import torch
import torch.nn.functional as F

from gpu_network import Network

TYPES = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32}
COMPILE_SECONDS = 120


def emit(line):
    print(json.dumps(line), flush=True)


def random_tensor(nhwc, dtype):
    n, h, w, c = nhwc
    return (torch.rand(n, h, w, c, device="cuda") * 2 - 1).to(dtype).permute(0, 3, 1, 2)


def record(run, sets, runs):
    """A graph of so many runs that take the sets in turn; run(set) has warmed up here before."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for i in range(min(3, sets)):
            run(i)
    torch.cuda.current_stream().wait_stream(stream)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for i in range(runs):
            run(i % sets)
    return graph


def measure(run, sets, milliseconds=4.0, budget=0.15):
    run(0)
    torch.cuda.synchronize()
    start = time.perf_counter()
    for i in range(sets):
        run(i)
    torch.cuda.synchronize()
    once = (time.perf_counter() - start) / sets * 1e3
    runs = max(1, min(200, round(milliseconds / once)))
    if runs > sets:
        runs = runs // sets * sets
    graph = record(run, sets, runs)
    graph.replay()
    torch.cuda.synchronize()
    times, spent = [], 0.0
    while len(times) < 21 and (len(times) < 3 or spent < budget):
        start = time.perf_counter()
        graph.replay()
        torch.cuda.synchronize()
        elapsed = time.perf_counter() - start
        spent += elapsed
        times.append(elapsed * 1e6 / runs)
    return {"median_us": statistics.median(times), "low_us": min(times), "high_us": max(times), "rounds": len(times)}


def branch_weights(branch, channels, dtype):
    shape = (branch["oc"], channels // branch["groups"], *branch["kernel"])
    fan_in = shape[1] * shape[2] * shape[3]
    weight = (torch.randn(shape, device="cuda") * (2 / fan_in) ** 0.5).to(dtype)
    bias = torch.rand(branch["oc"], device="cuda").to(dtype) if branch["bias"] else None
    return weight.contiguous(memory_format=torch.channels_last), bias


def convolve(x, weight, bias, branch, residual=None):
    top, left, bottom, right = branch["padding"]
    if (top, left) != (bottom, right):
        x, (top, left) = F.pad(x, (left, right, top, bottom)), (0, 0)
    y = F.conv2d(x, weight, bias, branch["stride"], (top, left), branch["dilation"], branch["groups"])
    if residual is not None:
        y += residual
    if branch["relu"]:
        y.relu_()
    if branch["relu6"]:
        y.clamp_(0, 6)
    return y


def fused_convolution(xs, weight, bias, branch):
    """cuDNN's convolution with bias, residual and ReLU in one call; None where PyTorch has no such call."""
    top, left, bottom, right = branch["padding"]
    if not branch["relu"] or (top, left) != (bottom, right):
        return None
    bias = bias if bias is not None else torch.zeros(branch["oc"], device="cuda", dtype=weight.dtype)
    rest = (branch["stride"], (top, left), branch["dilation"], branch["groups"])
    if branch["residual"]:
        return lambda i: torch.cudnn_convolution_add_relu(xs[i][0], weight, xs[i][1], 1.0, bias, *rest)
    return lambda i: torch.cudnn_convolution_relu(xs[i][0], weight, bias, *rest)


def variants_of(problem, xs, dtype):
    """Pairs of a name and a function of the set."""
    op, branches = problem["op"], problem.get("branches", [])
    channels = problem["inputs"][0][3]
    if op in ("conv2d", "pyramid"):
        weights = [branch_weights(b, channels, dtype) for b in branches]
        if op == "conv2d":
            (weight, bias), branch = weights[0], branches[0]
            residual = branch["residual"]
            yield "eager", lambda i: convolve(xs[i][0], weight, bias, branch, xs[i][1] if residual else None)
            fused = fused_convolution(xs, weight, bias, branch)
            if fused:
                yield "cudnn fused", fused
            return
        each = lambda x: [convolve(x, w, b, branch) for (w, b), branch in zip(weights, branches)]
        join = (lambda ys: sum(ys[1:], ys[0])) if problem["sum"] else (lambda ys: torch.cat(ys, 1))
        yield "eager", lambda i: join(each(xs[i][0]))
    elif op == "separable":
        (first, then), weights = branches, [branch_weights(b, channels, dtype) for b in branches]
        yield "eager", lambda i: convolve(convolve(xs[i][0], *weights[0], first), *weights[1], then,
                                          xs[i][1] if then["residual"] else None)
    elif op == "pool2d":
        pool, out = problem["pool"], problem["output"]
        if pool["adaptive"]:
            f = F.adaptive_max_pool2d if pool["max"] else F.adaptive_avg_pool2d
            yield "eager", lambda i: f(xs[i][0], out[1:3])
        elif pool["max"]:
            yield "eager", lambda i: F.max_pool2d(xs[i][0], pool["kernel"], pool["stride"], pool["padding"],
                                                  ceil_mode=pool["ceil_mode"])
        else:
            yield "eager", lambda i: F.avg_pool2d(xs[i][0], pool["kernel"], pool["stride"], pool["padding"],
                                                  pool["ceil_mode"], pool["count_include_pad"])
    elif op == "resize":
        size, align = problem["output"][1:3], problem["resize"]["align_corners"]
        yield "eager", lambda i: F.interpolate(xs[i][0], size=size, mode="bilinear", align_corners=align)
    elif op == "labels":
        size = problem["output"][1:3]
        labels = lambda x: F.interpolate(x, size=size, mode="bilinear", align_corners=False).argmax(1)
        yield "eager", lambda i: labels(xs[i][0])
        compiled = torch.compile(labels, mode="max-autotune-no-cudagraphs")
        yield "compiled", lambda i: compiled(xs[i][0])
    elif op == "identity":
        targets = [torch.empty_like(x[0]) for x in xs]
        yield "copy", lambda i: targets[i].copy_(xs[i][0])
    else:
        raise ValueError(f"operator {op} is not known here")


def run_case(line):
    dtype = TYPES[line["dtype"]]
    xs = [[random_tensor(s, dtype) for s in line["problem"]["inputs"]] for _ in range(line["sets"])]
    keep = {key: line[key] for key in ("group", "name", "dtype", "problem", "used_in", "flops", "bytes", "sets")
            if key in line}
    for name, run in variants_of(line["problem"], xs, dtype):
        attempt(line, "torch " + name, lambda: emit({"kind": "case", **keep, "implementation": "torch " + name,
                                                     **measure(run, line["sets"])}))


def run_matmul(dtype):
    a, b = (torch.rand(8192, 8192, device="cuda").to(dtype) for _ in range(2))
    emit({"kind": "case", "group": "ceiling", "name": "matmul 8192", "dtype": "f16", "flops": 2 * 8192.0**3,
          "bytes": 3 * 8192.0**2 * a.element_size(), "implementation": "torch matmul", **measure(lambda i: a @ b, 1)})


def run_network(line, spec, fold, compiled):
    dtype = TYPES[line["dtype"]]
    model = Network(spec, line["input"][3], fold).eval().to("cuda", dtype).to(memory_format=torch.channels_last)
    x = random_tensor(line["input"], dtype)
    name = ("compiled" if compiled else "eager") + (" folded" if fold else "")
    if compiled:
        model = torch.compile(model, mode="max-autotune-no-cudagraphs")
    timing = measure(lambda i: model(x), 1, milliseconds=1.0, budget=0.5)
    keep = {key: line[key] for key in ("group", "name", "dtype", "input", "flops")}
    emit({"kind": "network", **keep, "implementation": "torch " + name, **timing})


def attempt(line, name, function, seconds=0):
    """Runs it; what it throws becomes a line, and so does taking longer than `seconds` (0: any time)."""

    def stop(*_):
        raise TimeoutError(f"took more than {seconds} s")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        with torch.inference_mode():
            function()
    except Exception as error:  # a case that PyTorch cannot run must not end the others
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        emit({"kind": "error", "group": line["group"], "name": line["name"], "implementation": name, "reason": reason})
    finally:
        signal.alarm(0)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("lines")
    parser.add_argument("networks")
    parser.add_argument("--seconds", type=float, default=300)
    arguments = parser.parse_args()
    with open(arguments.lines) as file:
        lines = [json.loads(text) for text in file if text.strip().endswith("}")]
    with open(arguments.networks) as file:
        specs = {spec["name"]: spec for spec in json.load(file)}
    torch.backends.cudnn.benchmark = True
    emit({"kind": "torch", "torch": torch.__version__, "cuda": torch.version.cuda,
          "cudnn": torch.backends.cudnn.version(), "name": torch.cuda.get_device_name()})
    end = time.monotonic() + arguments.seconds
    cases, networks = {}, []
    for line in lines:
        if line["kind"] == "case" and line["name"] != "matmul 8192":
            cases.setdefault(line["name"], line)
        elif line["kind"] == "network":
            networks.append(line)
    jobs = [({"group": "ceiling", "name": "matmul 8192"}, "torch matmul", lambda: run_matmul(torch.float16), 60)]
    jobs += [(line, "torch", lambda line=line: run_case(line), 60) for line in cases.values()]
    for line in networks:
        for fold in (False, True):
            jobs.append((line, "torch", lambda line=line, fold=fold: run_network(line, specs[line["name"]], fold, False), 60))
    for line in sorted(networks, key=lambda line: line["group"]):
        if line["input"][0] == 1:
            jobs.append((line, "torch compiled", lambda line=line: run_network(line, specs[line["name"]], True, True),
                         COMPILE_SECONDS))
    for line, name, job, seconds in jobs:
        left = end - time.monotonic()
        if left < 5:
            emit({"kind": "error", "group": line["group"], "name": line["name"], "implementation": name,
                  "reason": "the time was up"})
            continue
        print(f"{left:6.0f} s left  {line['name']}", file=sys.stderr, flush=True)
        attempt(line, name, job, min(seconds, int(left)))
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
