# SPDX-License-Identifier: Apache-2.0
"""The command line that all importers share, and what it says about a model's pixels and classes."""
import argparse
import os
import re
import sys

import numpy as np

from refusal import Refusal


def fraction(text):
    """A number, or two with a slash between, as the config format takes them; the text is kept for the config."""
    try:
        value = 1.0
        for position, part in enumerate(text.split("/", 1)):
            value = value / float(part) if position else float(part)
    except (ValueError, ZeroDivisionError):
        value = float("nan")
    if not abs(value) < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is no number")
    return text.strip()


def triple(text):
    parts = [fraction(part) for part in text.split(",")]
    if len(parts) not in (1, 3):
        raise argparse.ArgumentTypeError(f"'{text}' is neither one number nor three with commas between")
    return parts * (3 if len(parts) == 1 else 1)


def model_name(text):
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no name of letters, digits, '.', '_' and '-'")
    return text


class Parser(argparse.ArgumentParser):
    def error(self, message):
        raise Refusal(f"{message} (see --help)")


def make_parser(description, model, mean="0", scale="1/255", color="rgb"):
    """`mean`, `scale`, `color`: what is assumed unless it is given; only `color` is set, the others are for the help."""
    parser = Parser(description=description)
    parser.add_argument("model", metavar=model)
    parser.add_argument("-o", "--output", metavar="DIR", required=True,
                        help="folder for NAME.yaml and NAME.safetensors")
    parser.add_argument("--name", type=model_name, help="of the model; default: the file's stem")
    parser.add_argument("--labels", metavar="SET|FILE",
                        help="a label set, a file of one, or a text file with a name a line; default: numbered classes")
    parser.add_argument("--mean", type=triple, metavar="R,G,B", help=f"value = (pixel*scale - mean)/std, in the order of --color; default {mean}")
    parser.add_argument("--std", type=triple, metavar="R,G,B", help="default 1")
    parser.add_argument("--scale", type=fraction, metavar="S", help=f"default {scale}")
    parser.add_argument("--color", choices=("rgb", "bgr"), default=color, help=f"default {color}")
    return parser


def name_of(options, file=None):
    """`file`: the one whose stem is the default, if not the model."""
    return options.name or model_name(os.path.splitext(os.path.basename(file or options.model))[0])


def input_map(options, extent, scale=None, mean=None):
    """The config's `input`: stretched to `extent` (h, w); `scale` and `mean` are what the model itself says."""
    size = extent[0] if extent[0] == extent[1] else list(extent)
    return {"color": options.color, "scale": options.scale or scale or "1/255",
            "mean": options.mean or ([mean] * 3 if mean is not None else [0] * 3), "std": options.std or [1] * 3,
            "policy": "stretch", "size": size}


def labels(options, classes):
    """The config's `labels`, and files to write beside it. `classes`: how many there must be; None: not known."""
    given = options.labels
    if given is None:
        return classes, {}
    if not os.path.isfile(given):
        if os.sep in given or "." in given:
            raise Refusal(f"--labels {given}: there is no such file")
        return given, {}
    with open(given, "rb") as file:
        content = file.read(1 << 20)
    if given.endswith((".yaml", ".yml")):
        stem = os.path.splitext(os.path.basename(given))[0]
        return stem, {f"labels/{stem}.yaml": content}
    names = [line.strip() for line in content.decode("utf-8", "replace").splitlines() if line.strip()]
    if classes is not None and len(names) != classes:
        raise Refusal(f"--labels {given}: {len(names)} names for the {classes} channels of the network's output")
    return {"classes": names}, {}


def run_importer(parser, convert):
    """The whole program: `convert` takes the options, writes the model and returns its config's path, which is printed.

    Anything that goes wrong is one line on stderr and exit status 2.
    """
    place = ""
    try:
        options = parser.parse_intermixed_args()    # an optional file may stand behind options
        place = f"{options.model}: "
        with np.errstate(all="ignore"):  # values are checked where they matter
            print(convert(options))
    except OSError as error:
        where = error.filename if error.filename is not None else options.model
        sys.exit(fail(f"{where}: {error.strerror}"))
    except MemoryError:
        sys.exit(fail(f"{place}there is not enough memory for it"))
    except (ValueError, argparse.ArgumentTypeError) as error:
        elsewhere = getattr(error, "place", None)
        sys.exit(fail(f"{elsewhere}: {error}" if elsewhere else f"{place}{error}"))


def fail(message):
    print(f"{os.path.basename(sys.argv[0])}: {message}", file=sys.stderr)
    return 2
