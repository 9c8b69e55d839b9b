"""Photos and labels in memory, and random crops of them."""
import os

import numpy as np
import torch
from PIL import Image, ImageEnhance


def read_pairs(root, list_name, table):
    with open(os.path.join(root, list_name)) as file:
        stems = file.read().split()
    pairs = []
    for stem in stems:
        photo = Image.open(os.path.join(root, "photos", stem + ".jpg")).convert("RGB")
        label = Image.open(os.path.join(root, "labels", stem + ".png"))
        pairs.append((photo, Image.fromarray(table[np.asarray(label)])))
    return pairs


def to_tensor(photo):
    return torch.from_numpy(np.asarray(photo, np.float32) / 127.5 - 1).permute(2, 0, 1)


def random_crop(pair, size, rng):
    """A mirrored, scaled, recoloured crop of height x width; what lies outside the photo is grey and ignored."""
    photo, label = pair
    height, width = size
    scale = np.exp(rng.uniform(np.log(0.55), np.log(1.3)))
    stretch = np.exp(rng.uniform(-0.1, 0.1))
    w, h = (max(1, round(photo.width * scale * stretch)), max(1, round(photo.height * scale / stretch)))
    photo, label = photo.resize((w, h), Image.BILINEAR), label.resize((w, h), Image.NEAREST)
    if rng.random() < 0.5:
        photo, label = photo.transpose(Image.FLIP_LEFT_RIGHT), label.transpose(Image.FLIP_LEFT_RIGHT)
    for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        photo = enhance(photo).enhance(rng.uniform(0.7, 1.3))
    left = rng.integers(min(0, w - width), max(0, w - width) + 1)
    top = rng.integers(min(0, h - height), max(0, h - height) + 1)
    crop = Image.new("RGB", (width, height), (127, 127, 127))
    target = Image.new("L", (width, height), 255)
    crop.paste(photo, (-left, -top))
    target.paste(label, (-left, -top))
    return to_tensor(crop), torch.from_numpy(np.asarray(target, np.int64))
