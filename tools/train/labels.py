"""The label set and how the data set's own names merge into it."""
import numpy as np
import yaml


def document_of(label_set):
    with open(label_set) as file:
        return yaml.safe_load(file)


def names(label_set):
    """Class names of a YAML label set."""
    return [entry["name"] for entry in document_of(label_set)["classes"]]


def load(label_set, raw_names):
    """Class names, and a table from raw id to class id."""
    document, classes = document_of(label_set), names(label_set)
    with open(raw_names) as file:
        raw = file.read().split()
    table = np.full(256, document.get("ignore", 255), np.uint8)
    for class_name, sources in document["merge"].items():
        for source in sources:
            table[raw.index(source)] = classes.index(class_name)
    missing = [name for i, name in enumerate(raw) if table[i] == 255]
    if missing:
        raise SystemExit(f"{label_set}: no class takes in {', '.join(missing)}")
    return classes, table
