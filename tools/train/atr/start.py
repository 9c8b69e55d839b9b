"""Where training starts: backbone and ASPP of the clothing parser."""
import tensor_file


def fill(backbone, path):
    """features.* from backbone.*, aspp.* from aspp.*; every one of both must be there."""
    given = tensor_file.read(path)
    wanted = {name: name.replace("features.", "backbone.", 1) for name in backbone.state_dict() if "num_batches" not in name}
    backbone.load_state_dict({name: given[source] for name, source in wanted.items()}, strict=False)
