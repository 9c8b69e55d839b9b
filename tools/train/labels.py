"""The label set and how the data set's own names merge into it."""
import numpy as np
import yaml


def load(label_set, raw_names):
    """Class names of the YAML label set, and a table from raw id to class id."""
    with open(label_set) as file:
        document = yaml.safe_load(file)
    names = [entry["name"] for entry in document["classes"]]
    with open(raw_names) as file:
        raw = file.read().split()
    table = np.full(256, document.get("ignore", 255), np.uint8)
    for class_name, sources in document["merge"].items():
        for source in sources:
            table[raw.index(source)] = names.index(class_name)
    missing = [name for i, name in enumerate(raw) if table[i] == 255]
    if missing:
        raise SystemExit(f"{label_set}: no class takes in {', '.join(missing)}")
    return names, table
