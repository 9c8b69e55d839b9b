"""Components of a person: what a label map says, in pieces that a single box and mask can describe.

The published ATR labels tell left from right and faces from arms; Clothing Co-Parsing does not. A component is therefore cut out
of a raw label by where it lies on the person: `left` and `right` are the photo's, not the person's. components.yaml lists
them; this file cuts.
"""
import os

import numpy as np
import torch
import yaml
from scipy import ndimage

HEAD = 0.2  # of the person's height: skin above is the face
LEG_BOTTOM, LEG_CENTRE = 0.78, 0.62  # skin that reaches or centres below is a leg, else an arm


def load(path=None):
    """[{name, class, templates, from}] in the order of the model's components."""
    with open(path or os.path.join(os.path.dirname(__file__), "components.yaml")) as file:
        return yaml.safe_load(file)["components"]


def pieces(mask, axis, share=0.25):
    """Connected pieces; one that has at least `share` of its pixels on either side of column `axis` is cut there."""
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    columns = np.arange(mask.shape[1])[None]
    for index in range(1, count + 1):
        piece = labels == index
        left = piece & (columns < axis)
        part = left.sum() / piece.sum()
        if share < part < 1 - share:
            yield left, True
            yield piece & ~left, False
        else:
            yield piece, part >= 0.5


def split(raw, names, components):
    """Component of each pixel, 0 the background, k + 1 for components[k]. `raw`: ids of `names`."""
    index = {component["name"]: i + 1 for i, component in enumerate(components)}
    result = np.zeros(raw.shape, np.uint8)
    foreground = raw != names.index("null")
    if not foreground.any():
        return result
    for component in components:
        for name in component.get("from", []):
            result[raw == names.index(name)] = index[component["name"]]
    rows, columns = np.nonzero(foreground)
    top, height = rows.min(), np.ptp(rows) + 1
    axis = np.median(columns)
    y = (np.arange(raw.shape[0])[:, None] - top) / height + np.zeros(raw.shape)

    skin = raw == names.index("skin")
    result[skin & (y < HEAD)] = index["face"]
    for piece, left in pieces(skin & (y >= HEAD), axis):
        depth = y[piece]
        kind = "leg" if depth.max() > LEG_BOTTOM or depth.mean() > LEG_CENTRE else "arm"
        result[piece] = index[("left-" if left else "right-") + kind]
    shoes = np.isin(raw, [names.index(name) for name in SHOES])
    if shoes.any():
        middle = np.nonzero(shoes)[1]
        middle = (middle.min() + middle.max()) / 2 if np.ptp(middle) > 0.12 * height else axis
        for piece, left in pieces(shoes, middle):
            result[piece] = index["left-shoe" if left else "right-shoe"]
    return result


SHOES = ["boots", "clogs", "flats", "heels", "loafers", "pumps", "sandals", "shoes", "sneakers", "wedges"]


def mirror_table(components):
    """Component ids after a photo is mirrored."""
    names = ["background"] + [component["name"] for component in components]
    other = {"left": "right", "right": "left"}
    swapped = ["-".join(other.get(word, word) for word in name.split("-")) for name in names]
    return np.array([names.index(name) for name in swapped], np.uint8)


def merge_matrix(components, classes):
    """[classes, 1 + K], 1 where a component (0: the background) adds to a class."""
    matrix = torch.zeros(len(classes), 1 + len(components))
    matrix[0, 0] = 1
    for k, component in enumerate(components):
        matrix[classes.index(component["class"]), k + 1] = 1
    return matrix
