"""Active template regression's fusion, differentiable; the engine's operator template_morph computes the same.

m_k = clamp(D_k alpha_k, 0, 1); P_k = v_k m_k pasted into the box (cx, cy, sx, sy); P_0 = prod (1 - P_k); p = P / sum P.
"""
import torch
from torch.nn import functional as F


def grid(size):
    """Centres of the pixels of a map, in shares of it: x and y, each [1, height * width]."""
    height, width = size
    y, x = torch.meshgrid((torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij")
    return x.reshape(1, -1), y.reshape(1, -1)


def paste(masks, shape, x, y):
    """masks [n, K, h, w] in [0, 1], shape [n, K, 5], points x and y [n or 1, P] -> P_k [n, K, P]; zero outside the box."""
    n, count = masks.shape[:2]
    cx, cy, sx, sy, v = shape.clamp(min=1e-4).unsqueeze(-1).unbind(-2)
    u, w = (x[:, None] - cx) / sx, (y[:, None] - cy) / sy  # the box is -0.5 to 0.5
    points = 2 * torch.stack([u, w], -1)
    sampled = F.grid_sample(masks.reshape(n * count, 1, *masks.shape[2:]), points.reshape(n * count, 1, -1, 2),
                            padding_mode="zeros", align_corners=False)
    return sampled.reshape(n, count, -1) * ((u.abs() < 0.5) & (w.abs() < 0.5)) * v


def fuse(masks, shape, x, y):
    """-> probabilities [n, 1 + K, P] of background and components at the points, summing to 1."""
    parts = paste(masks, shape, x, y)
    scores = torch.cat([(1 - parts).prod(1, keepdim=True), parts], 1)
    return scores / scores.sum(1, keepdim=True)
