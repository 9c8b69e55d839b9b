"""Photos with their component maps, and random crops of them as training samples."""
import os

import numpy as np
import torch
from PIL import Image, ImageEnhance

import network
import parts
import targets

MASK = (48, 48)
GREY = (127, 127, 127)  # what `fit` pads with, the mean


def read(root, list_name, components):
    """[(photo, component map, raw ids)] of a list of stems."""
    with open(os.path.join(root, "labels.txt")) as file:
        names = file.read().split()
    with open(os.path.join(root, list_name)) as file:
        stems = file.read().split()
    people = []
    for stem in stems:
        photo = Image.open(os.path.join(root, "photos", stem + ".jpg")).convert("RGB")
        raw = np.asarray(Image.open(os.path.join(root, "labels", stem + ".png")))
        people.append((photo, Image.fromarray(parts.split(raw, names, components)), raw))
    return people


def to_tensor(photo):
    return torch.from_numpy(np.asarray(photo, np.float32) / 127.5 - 1).permute(2, 0, 1)


def place(image, scale, offset, fill, kernel, size=network.INPUT):
    """`image` scaled, its top left corner at `offset` = (x, y) of a canvas of `size` = (height, width)."""
    inverse = (1 / scale, 0, -offset[0] / scale, 0, 1 / scale, -offset[1] / scale)
    if kernel is Image.BILINEAR and scale < 0.8:  # the transform alone would alias
        small = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.BILINEAR)
        return place(small, 1.0, offset, fill, kernel, size)
    return image.transform(size[::-1], Image.AFFINE, inverse, kernel, fillcolor=fill)


def fit_scale(photo, size=network.INPUT):
    return min(size[0] / photo.height, size[1] / photo.width)


class Crops(torch.utils.data.Dataset):
    """(photo tensor, component map, shape [K, 5], masks [K, h, w]) of a mirrored, scaled, moved, recoloured person."""

    def __init__(self, people, components, epoch):
        self.people, self.components, self.epoch = people, components, epoch
        self.mirror = parts.mirror_table(components)

    def __len__(self):
        return len(self.people)

    def __getitem__(self, index):
        rng = np.random.default_rng((1, self.epoch, index))
        photo, component_map, _ = self.people[index]
        scale = fit_scale(photo) * np.exp(rng.uniform(-0.22, 0.18))
        free = np.array(network.INPUT[::-1]) - scale * np.array(photo.size)
        offset = free / 2 + rng.uniform(-0.5, 0.5, 2) * (np.abs(free) + 0.06 * np.array(network.INPUT[::-1]))
        crop = place(photo, scale, offset, GREY, Image.BILINEAR)
        labels = np.asarray(place(component_map, scale, offset, 0, Image.NEAREST))
        for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            crop = enhance(crop).enhance(rng.uniform(0.7, 1.3))
        if rng.random() < 0.5:
            crop, labels = crop.transpose(Image.FLIP_LEFT_RIGHT), self.mirror[labels[:, ::-1]]
        shape, masks = targets.describe(labels, len(self.components), MASK)
        return to_tensor(crop), torch.from_numpy(labels.astype(np.int64)), torch.from_numpy(shape), torch.from_numpy(masks)
