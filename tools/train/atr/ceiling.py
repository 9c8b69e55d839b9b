"""What the representation can reach: the fusion fed with the ground truth's own coefficients and boxes, as label PNGs for `atrous eval`."""
import argparse
import os

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

import train  # noqa: F401, I001  (puts the folder above on the path)
import fusion
import labels
import network
import parts
import people
import targets
import templates


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--labels", required=True)
    parser.add_argument("--list", default="val.txt")
    parser.add_argument("--checkpoint", help="its dictionaries; without, the exact masks, which shows what boxes and pasting lose")
    parser.add_argument("--output", required=True, help="folder for STEM.png")
    options = parser.parse_args()
    components = parts.load()
    merge = parts.merge_matrix(components, labels.names(options.labels))
    with open(os.path.join(options.data, options.list)) as file:
        stems = file.read().split()
    subjects = people.read(options.data, options.list, components)
    dictionaries = None
    if options.checkpoint:
        state = torch.load(options.checkpoint, weights_only=True)
        dictionaries = [part.numpy() for part in torch.split(state["dictionary"], state["counts"])]
    os.makedirs(options.output, exist_ok=True)
    for stem, (_, component_map, raw) in zip(stems, subjects):
        shape, masks = targets.describe(np.asarray(component_map), len(components), people.MASK)
        if dictionaries:
            for k, dictionary in enumerate(dictionaries):
                alpha = templates.coefficients(masks[k:k + 1], dictionary)
                masks[k] = np.clip(np.einsum("t,thw->hw", alpha[0], dictionary), 0, 1)
        scores = fusion.fuse(torch.from_numpy(masks)[None], torch.from_numpy(shape)[None], *fusion.grid(network.INPUT))
        scores = torch.einsum("ck,nkp->ncp", merge, scores).unflatten(2, network.INPUT)
        guess = F.interpolate(scores, size=raw.shape, mode="bilinear")[0].argmax(0)
        Image.fromarray(guess.numpy().astype(np.uint8)).save(os.path.join(options.output, stem + ".png"))


if __name__ == "__main__":
    main()
