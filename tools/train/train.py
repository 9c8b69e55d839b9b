"""Trains the clothing parser for a given number of minutes; an interrupted run goes on from its checkpoint."""
import argparse
import os
import time

import numpy as np
import torch
from torch.nn import functional as F

import data
import evaluate
import labels
import model


def loss_of(logits, target, weights):
    """Cross entropy at stride 2 plus a soft Dice term, which keeps small classes alive."""
    target = target[:, ::2, ::2]
    logits = F.interpolate(logits, size=target.shape[1:], mode="bilinear", align_corners=False)
    entropy = F.cross_entropy(logits, target, weights, ignore_index=255)
    known = (target != 255).unsqueeze(1)
    truth = F.one_hot(target.clamp(max=logits.shape[1] - 1), logits.shape[1]).permute(0, 3, 1, 2) * known
    guess = logits.softmax(1) * known
    overlap, total = (truth * guess).sum((0, 2, 3)), (truth + guess).sum((0, 2, 3))
    present = truth.sum((0, 2, 3)) > 0
    dice = 1 - (2 * overlap[present] + 1) / (total[present] + 1)
    return entropy + 0.5 * dice.mean()


def class_weights(pairs, classes):
    """Inverse square root of frequency, clipped."""
    counts = sum(np.bincount(np.asarray(label).ravel(), minlength=256)[:classes] for _, label in pairs[::4])
    frequency = counts / counts.sum()
    return torch.tensor(np.clip((0.02 / frequency) ** 0.5, 0.4, 3.0), dtype=torch.float32)


def threads(options):
    if options.threads_file and os.path.exists(options.threads_file):
        with open(options.threads_file) as file:
            return int(file.read())
    return options.threads


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="folder of photos/, labels/, labels.txt, train.txt, val.txt")
    parser.add_argument("--labels", required=True, help="YAML label set with its merge table")
    parser.add_argument("--imagenet", help="state dict of EfficientNet-Lite0 to start from")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--minutes", type=float, default=70)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, nargs=2, default=(320, 224))
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--threads-file", help="read before each step, so that a running training can be slowed down")
    options = parser.parse_args()

    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    names, table = labels.load(options.labels, f"{options.data}/labels.txt")
    train = data.read_pairs(options.data, "train.txt", table)
    val = data.read_pairs(options.data, "val.txt", table)[::4]
    weights = class_weights(train, len(names))

    network = model.Network(len(names)).to(memory_format=torch.channels_last)
    if options.imagenet:
        model.load_imagenet(network, torch.load(options.imagenet, map_location="cpu"))
    groups = [{"params": network.backbone.parameters(), "factor": 0.4},
              {"params": [p for n, p in network.named_parameters() if not n.startswith("backbone")], "factor": 1.0}]
    optimizer = torch.optim.AdamW(groups, lr=options.rate, weight_decay=1e-2)
    average = {key: value.clone() for key, value in network.state_dict().items()}
    spent, step = 0.0, 0
    if os.path.exists(options.checkpoint):
        state = torch.load(options.checkpoint)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        average, spent, step = state["average"], state["spent"], state["step"]
        rng = np.random.default_rng(step + 1)

    def save():
        torch.save({"network": network.state_dict(), "average": average, "optimizer": optimizer.state_dict(),
                    "spent": spent, "step": step}, options.checkpoint + ".part")
        os.replace(options.checkpoint + ".part", options.checkpoint)

    order, budget, saved, measured, running = [], options.minutes * 60, spent, spent, 0.0
    while spent < budget:
        start = time.monotonic()
        torch.set_num_threads(threads(options))
        factor = min(1.0, (step + 1) / 100) * (1 - spent / budget) ** 0.9
        for group in optimizer.param_groups:
            group["lr"] = options.rate * factor * group["factor"]
        if len(order) < options.batch:
            order = list(rng.permutation(len(train)))
        crops = [data.random_crop(train[order.pop()], options.crop, rng) for _ in range(options.batch)]
        photos = torch.stack([crop[0] for crop in crops]).contiguous(memory_format=torch.channels_last)
        target = torch.stack([crop[1] for crop in crops])
        network.train()
        loss = loss_of(network(photos), target, weights)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        decay = min(0.998, (step + 1) / (step + 10))
        with torch.no_grad():
            for key, value in network.state_dict().items():
                if value.dtype.is_floating_point:
                    average[key].mul_(decay).add_(value, alpha=1 - decay)
        step += 1
        running = 0.95 * running + 0.05 * loss.item() if step > 1 else loss.item()
        spent += time.monotonic() - start
        if step % 50 == 0:
            print(f"step {step} epoch {step * options.batch / len(train):.1f} minutes {spent / 60:.1f} loss {running:.3f}",
                  flush=True)
        if spent - saved > 120:
            save()
            saved = spent
        if spent - measured > 900:
            start = time.monotonic()
            probe = model.Network(len(names))
            probe.load_state_dict(average)
            result = evaluate.scores(evaluate.confusion(probe, val, len(names)))
            print(" ".join(f"{key} {value:.3f}" for key, value in result.items() if key != "class_f1"), flush=True)
            spent += time.monotonic() - start
            measured = spent
    save()


if __name__ == "__main__":
    main()
