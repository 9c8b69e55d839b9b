"""First stage: learns the dictionaries, then trains everything for a number of minutes; an interrupted run goes on from its checkpoint."""
import argparse
import os
import sys
import time

import numpy as np
import torch
from torch.nn import functional as F

sys.path.append(os.path.join(os.path.dirname(__file__), ".."))
import evaluate  # noqa: E402
import fusion  # noqa: E402
import labels  # noqa: E402
import network  # noqa: E402
import parts  # noqa: E402
import people  # noqa: E402
import start  # noqa: E402
import targets  # noqa: E402
import templates  # noqa: E402

FROZEN = ("backbone.features.stem.", *(f"backbone.features.stages.{stage}." for stage in (0, 1, 2)))


POINTS = 2048  # of each image at which the fused probability is judged


def losses(outputs, truth, shape, masks, dictionary, counts, weights):
    """Mask, shape and visibility regression (visible components only, boxes relative to their size), and the logarithm of the
    fused probability, which is what the parse is made of. `truth`: component map [n, H, W] of any resolution."""
    alpha, shape_logits, logits = outputs
    guess, seen = torch.sigmoid(shape_logits), shape[..., 4] > 0
    raw_masks = network.masks_of(alpha, dictionary, counts)
    mask = ((raw_masks - masks) ** 2).mean((2, 3))[seen].mean()
    extent = shape[..., 2:4].clamp(min=0.02)
    centre = F.smooth_l1_loss((guess[..., :2] / extent)[seen], (shape[..., :2] / extent)[seen], beta=0.1)
    size = F.smooth_l1_loss(guess[..., 2:4].log()[seen], extent.log()[seen], beta=0.1)
    visibility = F.binary_cross_entropy_with_logits(shape_logits[..., 4], shape[..., 4])
    n, height, width = truth.shape
    x, y = torch.randint(width, (n, POINTS)), torch.randint(height, (n, POINTS))
    fused = fusion.fuse(raw_masks.clamp(0, 1), guess, (x + 0.5) / width, (y + 0.5) / height)
    parse = F.nll_loss((fused + 1e-3).log(), truth.flatten(1).gather(1, y * width + x), weights)
    step = height // logits.shape[2]
    components = F.cross_entropy(logits, truth[:, step // 2::step, step // 2::step], weights)
    return {"mask": 4 * mask, "centre": centre, "size": size, "visibility": visibility, "parse": parse, "components": 0.3 * components}


def class_weights(maps, count):
    """Inverse square root of frequency, clipped."""
    frequency = sum(np.bincount(np.asarray(m).ravel(), minlength=count) for m in maps)
    return torch.tensor(np.clip((0.02 / (frequency / frequency.sum())) ** 0.5, 0.4, 3.0), dtype=torch.float32)


@torch.no_grad()
def confusion(net, dictionary, subjects, merge, table):
    """counts[truth, prediction] of classes, at the photos' own resolution."""
    net.eval()
    classes = len(merge)
    counts = np.zeros((classes, classes), np.int64)
    for photo, _, raw in subjects:
        scale = people.fit_scale(photo)
        crop = people.place(photo, scale, (0, 0), people.GREY, people.Image.BILINEAR)
        alpha, shape, _ = net(people.to_tensor(crop)[None])
        masks = network.masks_of(alpha, dictionary, net.counts).clamp(0, 1)
        scores = torch.einsum("ck,nkp->ncp", merge, fusion.fuse(masks, torch.sigmoid(shape), *fusion.grid(network.INPUT)))
        scores = scores.unflatten(2, network.INPUT)
        height, width = (round(scale * extent) for extent in raw.shape)
        guess = F.interpolate(scores[..., :height, :width], size=raw.shape, mode="bilinear")[0].argmax(0).numpy().ravel()
        counts += np.bincount(table[raw].ravel().astype(int) * classes + guess, minlength=classes**2).reshape(classes, -1)
    return counts


def learn_dictionary(train, components):
    """[sum T, h, w]; a component seen rarely gets at most half as many templates as it has masks."""
    described = [targets.describe(np.asarray(component_map), len(components), people.MASK) for _, component_map, _ in train]
    result, counts = [], []
    for k, component in enumerate(components):
        masks = np.stack([m[k] for shape, m in described if shape[k, 4] > 0])
        counts.append(min(component["templates"], len(masks) // 2))
        result.append(templates.learn(masks, counts[-1]))
    return torch.from_numpy(np.concatenate(result)), counts


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="folder of photos/, labels/, labels.txt, train.txt, val.txt")
    parser.add_argument("--labels", required=True, help="YAML label set with its merge table")
    parser.add_argument("--start", required=True, help="safetensors of the clothing parser, whose backbone is the start")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--minutes", type=float, default=75)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    components = parts.load()
    names, table = labels.load(options.labels, f"{options.data}/labels.txt")
    train = people.read(options.data, "train.txt", components)
    val = people.read(options.data, "val.txt", components)[::4]
    merge = parts.merge_matrix(components, names)

    state = torch.load(options.checkpoint, weights_only=True) if os.path.exists(options.checkpoint) else None
    dictionary, counts = (state["dictionary"], state["counts"]) if state else learn_dictionary(train, components)
    net = network.Network(counts).to(memory_format=torch.channels_last)
    start.fill(net.backbone, options.start)
    for name, parameter in net.named_parameters():
        parameter.requires_grad = not name.startswith(FROZEN)
    trained = [(name, parameter) for name, parameter in net.named_parameters() if parameter.requires_grad]
    groups = [{"params": [p for n, p in trained if n.startswith("backbone")], "factor": 0.3},
              {"params": [p for n, p in trained if not n.startswith("backbone")], "factor": 1.0}]
    optimizer = torch.optim.AdamW(groups, lr=options.rate, weight_decay=2e-2)
    average = {key: value.clone() for key, value in net.state_dict().items()}
    spent, step, epoch = 0.0, 0, 0
    if state:
        net.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        average, spent, step, epoch = state["average"], state["spent"], state["step"], state["epoch"]
    weights = class_weights([component_map for _, component_map, _ in train[::4]], 1 + len(components))

    while spent < 60 * options.minutes:
        net.train()
        net.backbone.features.stem.eval()
        for stage in net.backbone.features.stages[:3]:
            stage.eval()
        order = torch.Generator().manual_seed(epoch)
        loader = torch.utils.data.DataLoader(people.Crops(train, components, epoch), options.batch, True, drop_last=True,
                                             num_workers=1, generator=order)
        totals = {}
        clock = time.monotonic()
        for batch in loader:
            done = min(1.0, (spent + time.monotonic() - clock) / (60 * options.minutes))
            for group in optimizer.param_groups:
                group["lr"] = options.rate * group["factor"] * min(1, (step + 1) / 100) * (1 - done) ** 0.9
            photo, truth, shape, masks = batch
            outputs = net(photo.contiguous(memory_format=torch.channels_last))
            terms = losses(outputs, truth, shape, masks, dictionary, counts, weights)
            optimizer.zero_grad()
            sum(terms.values()).backward()
            torch.nn.utils.clip_grad_norm_([p for _, p in trained], 5.0)
            optimizer.step()
            step += 1
            keep = min(0.998, step / (step + 10))
            for key, value in net.state_dict().items():
                if value.dtype.is_floating_point:
                    average[key].lerp_(value, 1 - keep)
            for name, value in terms.items():
                totals[name] = totals.get(name, 0) + value.item() / len(loader)
        spent += time.monotonic() - clock
        epoch += 1
        torch.save({"network": net.state_dict(), "optimizer": optimizer.state_dict(), "average": average, "spent": spent, "step": step,
                    "epoch": epoch, "dictionary": dictionary, "counts": counts}, options.checkpoint + ".new")
        os.replace(options.checkpoint + ".new", options.checkpoint)
        line = f"epoch {epoch} {spent / 60:.1f} min " + " ".join(f"{k} {v:.3f}" for k, v in totals.items())
        if epoch % 4 == 0 or spent >= 60 * options.minutes:
            judged = network.Network(counts)
            judged.load_state_dict(average)
            result = evaluate.scores(confusion(judged, dictionary, val, merge, table))
            line += f" | val F1 {result['mean_f1']:.3f} foreground {result['foreground_accuracy']:.3f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
