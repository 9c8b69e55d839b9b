"""Dictionaries of mask templates: non-negative matrix factorisation of each component's masks, normalised to their boxes."""
import warnings

import numpy as np
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning


def learn(masks, count, seed=1):
    """masks [samples, h, w] -> templates [count, h, w]; scaled so that a coefficient of 1 reaches 1 somewhere."""
    flat = masks.reshape(len(masks), -1)
    model = NMF(count, init="nndsvda", solver="cd", max_iter=200, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(flat)
    scale = np.maximum(model.components_.max(1, keepdims=True), 1e-6)
    return (model.components_ / scale).reshape(count, *masks.shape[1:]).astype(np.float32)


def coefficients(masks, templates, iterations=200):
    """Least squares with alpha >= 0, multiplicative updates: masks [n, h, w], templates [T, h, w] -> [n, T]."""
    flat, basis = masks.reshape(len(masks), -1), templates.reshape(len(templates), -1)
    target, gram = flat @ basis.T, basis @ basis.T
    alpha = np.full(target.shape, 0.5, np.float32)
    for _ in range(iterations):
        alpha *= target / np.maximum(alpha @ gram, 1e-8)
    return alpha
