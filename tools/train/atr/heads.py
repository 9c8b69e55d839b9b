"""Second stage: both networks anew and alone, on stored features of the first stage's backbone, for many more steps."""
import argparse
import os
import time

import torch

import train  # noqa: I001  (puts the folder above on the path)
import evaluate
import labels
import network
import parts
import people


REPORT = 500  # steps


@torch.no_grad()
def store(net, subjects, components, first_epoch, epochs):
    """Features and targets of every crop of `epochs` random epochs, in half precision."""
    net.eval()
    kept = ([], [], [], [])
    for epoch in range(first_epoch, first_epoch + epochs):
        loader = torch.utils.data.DataLoader(people.Crops(subjects, components, epoch), 16, num_workers=1)
        for photo, truth, shape, masks in loader:
            kept[0].append(net.backbone(photo.contiguous(memory_format=torch.channels_last)).half())
            kept[1].append(truth[:, 1::2, 1::2].to(torch.uint8))
            kept[2].append(shape)
            kept[3].append(masks.half())
        print(f"stored epoch {epoch}", flush=True)
    return [torch.cat(part) for part in kept]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data")
    parser.add_argument("--labels", required=True)
    parser.add_argument("--checkpoint", required=True, help="of train.py")
    parser.add_argument("--output", required=True, help="checkpoint to write")
    parser.add_argument("--store", required=True, help="file for the features, made where it is missing")
    parser.add_argument("--epochs", type=int, default=8, help="random crops of every photo")
    parser.add_argument("--minutes", type=float, default=25)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    torch.manual_seed(2)
    components = parts.load()
    names, table = labels.load(options.labels, f"{options.data}/labels.txt")
    state = torch.load(options.checkpoint, weights_only=True)
    dictionary, counts = state["dictionary"], state["counts"]
    net = network.Network(counts)
    net.load_state_dict({name: value for name, value in state["average"].items() if name.startswith(("backbone.", "components."))},
                        strict=False)
    if not os.path.exists(options.store):
        subjects = people.read(options.data, "train.txt", components)
        weights = train.class_weights([component_map for _, component_map, _ in subjects[::4]], 1 + len(components))
        torch.save((store(net, subjects, components, 1000, options.epochs), weights), options.store)
    samples, weights = torch.load(options.store, weights_only=True)
    val = people.read(options.data, "val.txt", components)[::4]
    merge = parts.merge_matrix(components, names)

    net.components.requires_grad_(False)
    heads = [net.template_network, net.shape_network]
    trained = [parameter for head in heads for parameter in head.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=options.rate, weight_decay=2e-2)
    average = {key: value.clone() for key, value in net.state_dict().items()}
    begin, step, totals = time.monotonic(), 0, {}
    while (done := (time.monotonic() - begin) / (60 * options.minutes)) < 1:
        net.eval()
        for head in heads:
            head.train()
        chosen = torch.randint(len(samples[0]), (options.batch,))
        features, truth, shape, masks = (part[chosen] for part in samples)
        terms = train.losses(net.heads(features.float()), truth.long(), shape, masks.float(), dictionary, counts, weights)
        for group in optimizer.param_groups:
            group["lr"] = options.rate * min(1, (step + 1) / 100) * (1 - done) ** 0.9
        optimizer.zero_grad()
        sum(terms.values()).backward()
        torch.nn.utils.clip_grad_norm_(trained, 5.0)
        optimizer.step()
        step += 1
        for key, value in net.state_dict().items():
            if value.dtype.is_floating_point:
                average[key].lerp_(value, 1 - min(0.998, step / (step + 10)))
        for name, value in terms.items():
            totals[name] = totals.get(name, 0) + value.item()
        if step % REPORT == 0:
            judged = network.Network(counts)
            judged.load_state_dict(average)
            result = evaluate.scores(train.confusion(judged, dictionary, val, merge, table))
            print(f"step {step} {done * options.minutes:.1f} min " + " ".join(f"{k} {v / REPORT:.3f}" for k, v in totals.items()),
                  f"| val F1 {result['mean_f1']:.3f} foreground {result['foreground_accuracy']:.3f}", flush=True)
            totals = {}
    torch.save({"average": average, "dictionary": dictionary, "counts": counts}, options.output)


if __name__ == "__main__":
    main()
