# SPDX-License-Identifier: Apache-2.0
"""SLIC as other libraries have it, at equal settings and on one thread."""
import cv2
import numpy as np

try:
    import fast_slic
except ImportError:
    fast_slic = None

COMPACTNESS = 10


def slic_peers(photo, count, iterations, connected=False):
    """name -> a function that gives every pixel of a BGR photo the id of its superpixel, of about `count`. OpenCV's are in one
    piece each only where `connected`, which takes it longer; fast-slic's always are."""
    height, width = photo.shape[:2]
    lab, rgb = cv2.cvtColor(photo, cv2.COLOR_BGR2LAB), np.ascontiguousarray(photo[..., ::-1])
    cv2.setNumThreads(1)
    size = max(2, round((height * width / count) ** 0.5))

    def opencv(kind):
        slic = cv2.ximgproc.createSuperpixelSLIC(lab, kind, size, float(COMPACTNESS))
        slic.iterate(iterations)
        if connected:
            slic.enforceLabelConnectivity()
        return slic.getLabels()

    def fast():
        return fast_slic.Slic(num_components=count, compactness=COMPACTNESS, num_threads=1).iterate(rgb, iterations)

    peers = {"OpenCV SLIC": lambda: opencv(cv2.ximgproc.SLIC), "OpenCV SLICO": lambda: opencv(cv2.ximgproc.SLICO)}
    return {**peers, "fast-slic": fast} if fast_slic else peers
