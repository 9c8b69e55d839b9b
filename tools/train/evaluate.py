"""Set-wide scores of a network on photos at full resolution."""
import argparse

import numpy as np
import torch
from torch.nn import functional as F

import data
import labels
import model


@torch.no_grad()
def confusion(network, pairs, classes):
    """counts[truth, prediction] over all pixels."""
    network.eval()
    counts = np.zeros((classes, classes), np.int64)
    for photo, label in pairs:
        logits = network(data.to_tensor(photo)[None])
        logits = F.interpolate(logits, size=(photo.height, photo.width), mode="bilinear", align_corners=False)
        truth, guess = np.asarray(label).ravel().astype(int), logits[0].argmax(0).numpy().ravel()
        known = truth < classes
        counts += np.bincount(truth[known] * classes + guess[known], minlength=classes * classes).reshape(classes, classes)
    return counts


def scores(counts):
    hit, truth, guess = np.diag(counts).astype(float), counts.sum(1), counts.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = hit / guess, hit / truth
        f1, iou = 2 * hit / (truth + guess), hit / (truth + guess - hit)
    person = counts[1:, 1:].sum()
    return {
        "mean_iou": np.nanmean(iou), "pixel_accuracy": hit.sum() / counts.sum(),
        "foreground_accuracy": hit[1:].sum() / truth[1:].sum(), "mean_precision": np.nanmean(precision),
        "mean_recall": np.nanmean(recall), "mean_f1": np.nanmean(f1),
        "person_iou": person / (counts.sum() - counts[0, 0]),
        "class_f1": f1,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("checkpoint")
    parser.add_argument("--labels", required=True)
    parser.add_argument("--list", default="val.txt")
    options = parser.parse_args()
    names, table = labels.load(options.labels, f"{options.data}/labels.txt")
    network = model.Network(len(names))
    network.load_state_dict(torch.load(options.checkpoint, map_location="cpu")["average"])
    result = scores(confusion(network, data.read_pairs(options.data, options.list, table), len(names)))
    class_f1 = result.pop("class_f1")
    for name, value in result.items():
        print(f"{name:20s} {value:.4f}")
    for name, value in zip(names, class_f1):
        print(f"  F1 {name:17s} {value:.4f}")


if __name__ == "__main__":
    main()
