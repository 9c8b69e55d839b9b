# SPDX-License-Identifier: Apache-2.0
"""A network on its way from someone else's format to a config: nodes, their names, and blocks found among them."""
import re
from dataclasses import dataclass, field

# Keys that a config need not give, and what they are then (configs/schema.md).
DEFAULTS = {"kernel": 1, "stride": 1, "dilation": 1, "groups": 1, "bias": False}

# The order in which a node's keys are written; others follow by name.
ORDER = ["out", "kernel", "stride", "dilation", "groups", "padding", "bias"]


def rank(key):
    return (ORDER.index(key), "") if key in ORDER else (len(ORDER), key)


@dataclass(eq=False)
class Node:
    """One operator. `path` has '/' between levels; `inputs` are Nodes, INPUT among them."""
    path: str
    op: str
    inputs: list = field(default_factory=list)
    params: dict = field(default_factory=dict)
    tensors: dict = field(default_factory=dict)     # name ("weight", ...): array

    def __post_init__(self):
        self.params = {key: self.params[key] for key in sorted(self.params, key=rank)
                       if key not in DEFAULTS or DEFAULTS[key] != self.params[key]}

    @property
    def flat(self):
        return self.path.replace("/", "_")


INPUT = Node("input", "input")


class Paths:
    """Makes paths that are unique and that the config format accepts."""

    def __init__(self):
        self._taken = {INPUT.path}

    def unique(self, path):
        parts = [re.sub(r"[^A-Za-z0-9_-]", "_", part)[:60] for part in path.split("/") if part]
        stem = "/".join(parts) or "node"
        path, count = stem, 1
        while path.replace("/", "_") in self._taken:
            count += 1
            path = f"{stem}_{count}"
        self._taken.add(path.replace("/", "_"))
        return path


@dataclass
class Group:
    """Consecutive nodes below one name, of which the last makes the value that others read."""
    name: str
    nodes: list
    outside: list   # values that it reads, the first of them the group's `input`

    def local(self, node):
        return node.flat[len(self.name) + 1:]

    def reference(self, value):
        """What a node of the block calls a value."""
        if value in self.outside:
            at = self.outside.index(value)
            return "input" if at == 0 else f"input_{at + 1}"
        return self.local(value)

    def signature(self):
        """Groups that differ in the values of their keys only have the same."""
        return tuple((self.local(n), n.op, tuple(self.reference(v) for v in n.inputs),
                      frozenset(n.params.keys() - DEFAULTS)) for n in self.nodes)


def find_groups(nodes):
    """Runs of at least two nodes below the same first name that could stand in a block."""
    readers = {}
    for node in nodes:
        for value in node.inputs:
            readers.setdefault(value, []).append(node)
    runs = []
    for node in nodes:
        name = node.path.split("/")[0] if "/" in node.path else None
        if runs and name and runs[-1][0] == name:
            runs[-1][1].append(node)
        else:
            runs.append((name, [node]))
    names = [name for name, _ in runs] + [node.flat for node in nodes if "/" not in node.path]
    groups = []
    for name, members in runs:
        inside = set(members)
        outside = list(dict.fromkeys(v for n in members for v in n.inputs if v not in inside))
        closed = all(set(readers.get(n, [])) <= inside for n in members[:-1])
        locals_ = {n.flat[len(name or "") + 1:] for n in members}
        if len(members) > 1 and closed and names.count(name) == 1 and not any(x.startswith("input") for x in locals_):
            groups.append(Group(name, members, outside))
    return groups


def block_name(group, taken):
    """After the group, without its number; then with the last node's name; then numbered."""
    stem = re.sub(r"_?\d+$", "", group.name) or group.name
    candidates = [stem, f"{stem}_{group.local(group.nodes[-1])}"] + [f"{stem}_kind_{i}" for i in range(2, 10_000)]
    return next(name for name in candidates if name not in taken)


def entry(name, node, previous, reference):
    """A node as a map of the config; `previous` is the value that it reads where nothing is said."""
    result = {"name": name, "op": node.op}
    if len(node.inputs) > 1:
        result["inputs"] = [reference(v) for v in node.inputs]
    elif node.inputs[0] is not previous:
        result["input"] = reference(node.inputs[0])
    return {**result, **node.params}


def make_block(groups):
    """The block that these groups share, and a list of the parameters of each."""
    first = groups[0]
    parameters, uses, nodes = {}, [{} for _ in groups], []
    for position, node in enumerate(first.nodes):
        local = first.local(node)
        variants = [g.nodes[position].params for g in groups]
        previous = first.nodes[position - 1] if position else first.outside[0]
        definition = entry(local, Node("", node.op, node.inputs), previous, first.reference)
        for key in sorted(set().union(*variants), key=rank):
            values = [params.get(key, DEFAULTS.get(key)) for params in variants]
            definition[key] = values[0]
            if any(value != values[0] for value in values):
                name = f"{local}_{key}"
                parameters[name] = DEFAULTS.get(key)
                definition[key] = f"${name}"
                for use, value in zip(uses, values):
                    if value != parameters[name]:
                        use[name] = value
        nodes.append(definition)
    block = {"parameters": parameters} if parameters else {}
    if len(first.outside) > 1:
        block["inputs"] = [first.reference(v) for v in first.outside[1:]]
    return {**block, "nodes": nodes}, uses


def arrange(nodes):
    """(entries of `network`, blocks by name, tensors by their full names): what stands twice becomes a block."""
    kinds = {}
    for group in find_groups(nodes):
        kinds.setdefault(group.signature(), []).append(group)
    blocks, use_of = {}, {}
    for groups in kinds.values():
        if len(groups) < 2:
            continue
        name = block_name(groups[0], blocks)
        blocks[name], uses = make_block(groups)
        for group, parameters in zip(groups, uses):
            use_of[group.nodes[-1]] = (group, name, parameters)
    member_of = {node: group for group, _, _ in use_of.values() for node in group.nodes}
    last_of = {group.nodes[-1]: group for group, _, _ in use_of.values()}

    def reference(value):
        return last_of[value].name if value in last_of else value.flat
    entries, tensors, previous = [], {}, INPUT
    for node in nodes:
        group = member_of.get(node)
        prefix = f"{group.name}.{group.local(node)}" if group else node.flat
        tensors.update({f"{prefix}.{name}": array for name, array in node.tensors.items()})
        if node in use_of:
            group, block, parameters = use_of[node]
            use = entry(group.name, Node("", "", group.outside), previous, reference)
            del use["op"]
            entries.append({"name": use.pop("name"), "block": block, **use, **parameters})
        elif not group:
            entries.append(entry(node.flat, node, previous, reference))
        if not group or node in use_of:
            previous = node
    return entries, blocks, tensors
