"""Boxes and normalised masks of the components in a component map."""
import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional as F

SPECK = 0.04  # pieces smaller than this share of the largest one neither stretch a box nor count


def box_of(mask):
    """(left, top, right, bottom) in pixels of a mask without specks; None where it is empty."""
    if not mask.any():
        return None
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    if count > 1:
        areas = ndimage.sum_labels(mask, labels, np.arange(1, count + 1))
        mask = np.isin(labels, 1 + np.nonzero(areas >= SPECK * areas.max())[0])
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def describe(component_map, count, mask_size):
    """shape [count, 5] (cx, cy, sx, sy in shares of the map, v) and masks [count, h, w] in [0, 1], each normalised to its box."""
    height, width = component_map.shape
    shape = np.zeros((count, 5), np.float32)
    masks = np.zeros((count, *mask_size), np.float32)
    for k in range(count):
        mask = component_map == k + 1
        box = box_of(mask)
        if box is None:
            continue
        left, top, right, bottom = box
        shape[k] = ((left + right) / 2 / width, (top + bottom) / 2 / height, (right - left) / width, (bottom - top) / height, 1)
        crop = torch.from_numpy(mask[top:bottom, left:right].astype(np.float32))[None, None]
        masks[k] = F.interpolate(crop, size=mask_size, mode="bilinear", antialias=True)[0, 0]
    return shape, masks
