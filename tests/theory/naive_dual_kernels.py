"""The dual kernel the slow way: two rows, all pairs of positions, one number at a time."""

from __future__ import annotations

import itertools
import math

import numpy as np

from fpcheck.network.skeleton import (
    Activation,
    Add,
    Conv,
    Dense,
    Flatten,
    Input,
    LayerNorm,
    Pool,
)
from fpcheck.theory import moments, pairs


def naive_kernel(skeleton, scales, x, y):
    """(NNGP, NTK) of the last node for one row x and one row y."""
    known = {}
    for node in skeleton.nodes:
        parts = [known[name] for name in node.inputs]
        before = skeleton.shapes[node.inputs[0]] if node.inputs else None
        after = skeleton.shapes[node.name]
        match node:
            case Input():
                known[node.name] = _start(node, x, y)
            case Dense():
                known[node.name] = _weighted(_meaned(parts[0]), scales[node.name])
            case Conv():
                met = _convolved(node, parts[0], before[1:], after[1:])
                known[node.name] = _weighted(met, scales[node.name])
            case Activation():
                known[node.name] = _activated(node.function, parts[0])
            case Add():
                known[node.name] = _added(parts)
            case Pool():
                known[node.name] = _pooled(node, parts[0], before[1:], after[1:])
            case LayerNorm():
                known[node.name] = _normalised(node, parts[0])
            case Flatten():
                known[node.name] = parts[0]
            case _:
                raise AssertionError(node)
    state = known[skeleton.nodes[-1].name]
    return float(np.mean(np.diag(state["xy"]))), float(np.mean(np.diag(state["ntk"])))


# A state: covariances (P, P) of x with y, x with x, y with y; the NTK of x with y; means (P,).


def _start(node, x, y):
    def cov(a, b):
        first, second = (v.reshape(v.shape[0], -1) if v.ndim > 1 else v[:, None] for v in (a, b))
        return first.T @ second / len(first)

    xy = cov(x, y)
    zeros = np.zeros(len(xy))
    return {"xy": xy, "xx": cov(x, x), "yy": cov(y, y), "ntk": 0 * xy, "mx": zeros, "my": zeros}


def _weighted(s, scale):
    w2, b2 = scale.sigma_w2, scale.sigma_b2
    new = {key: w2 * s[key] + b2 for key in ("xy", "xx", "yy")}
    zeros = np.zeros(len(new["xy"]))
    return new | {"ntk": new["xy"] + w2 * s["ntk"], "mx": zeros, "my": zeros}


def _meaned(s):
    """What weights of their own for every position see."""
    return {key: np.array([[np.mean(np.diag(s[key]))]]) for key in ("xy", "xx", "yy", "ntk")}


def _windows(node, size, dilation, before, after):
    """For every position behind the positions before that its window meets, None outside."""
    found = []
    for place in itertools.product(*map(range, after)):
        met = []
        for tap in itertools.product(*map(range, size)):
            at = [
                p * s + t * d - pad[0]
                for p, s, t, d, pad in zip(
                    place, node.stride, tap, dilation, node.padding, strict=True
                )
            ]
            inside = all(0 <= a < n for a, n in zip(at, before, strict=True))
            met.append(int(np.ravel_multi_index(at, before)) if inside else None)
        found.append(met)
    return found


def _convolved(node, s, before, after):
    windows = _windows(node, node.kernel, node.dilation, before, after)

    def mean(cov):
        out = np.zeros((len(windows), len(windows)))
        for i, first in enumerate(windows):
            for j, second in enumerate(windows):
                met = [cov[a, b] for a, b in zip(first, second, strict=True)
                       if a is not None and b is not None]  # fmt: skip
                out[i, j] = math.fsum(met) / len(first)
        return out

    return {key: mean(s[key]) for key in ("xy", "xx", "yy", "ntk")}


def _pooled(node, s, before, after):
    windows = _windows(node, node.size, (1,) * len(node.size), before, after)
    matrix = np.zeros((len(windows), math.prod(before)))
    for i, met in enumerate(windows):
        inside = [a for a in met if a is not None]
        for a in inside:
            matrix[i, a] += 1.0 / (len(met) if node.count_padding else len(inside))
    new = {key: matrix @ s[key] @ matrix.T for key in ("xy", "xx", "yy", "ntk")}
    return new | {key: matrix @ s[key] for key in ("mx", "my")}


def _activated(f, s):
    qx, qy = np.diag(s["xx"]), np.diag(s["yy"])

    def dual(what, cov, left, right):
        out = np.zeros_like(cov)
        for i, j in np.ndindex(cov.shape):
            spread = math.sqrt(left[i] * right[j])
            c = min(1.0, max(-1.0, cov[i, j] / spread)) if spread else 0.0
            out[i, j] = what(f, left[i], right[j], c)
        return out

    slopes = np.nan  # of a step
    if f.kind.derivative is not None:
        slopes = dual(pairs.pair_slope_moment, s["xy"], qx, qy)
    return {
        "xy": dual(pairs.pair_moment, s["xy"], qx, qy),
        "xx": dual(pairs.pair_moment, s["xx"], qx, qx),
        "yy": dual(pairs.pair_moment, s["yy"], qy, qy),
        "ntk": s["ntk"] * slopes,
        "mx": np.array([moments.mean(f, q) for q in qx]),
        "my": np.array([moments.mean(f, q) for q in qy]),
    }


def _added(parts):
    new = {key: sum(p[key] for p in parts) for key in parts[0]}
    for first, second in itertools.permutations(parts, 2):
        new["xy"] = new["xy"] + np.outer(first["mx"], second["my"])
        new["xx"] = new["xx"] + np.outer(first["mx"], second["mx"])
        new["yy"] = new["yy"] + np.outer(first["my"], second["my"])
    return new


def _normalised(node, s):
    """Over all units and positions."""
    mx, my = np.mean(s["mx"]), np.mean(s["my"])
    gx = 1.0 / math.sqrt(np.mean(np.diag(s["xx"])) - mx * mx + node.epsilon)
    gy = 1.0 / math.sqrt(np.mean(np.diag(s["yy"])) - my * my + node.epsilon)

    def centred(cov, left, right, a, b):
        return cov - a * right - left[:, None] * b + a * b

    return {
        "xy": gx * gy * centred(s["xy"], s["mx"], s["my"], mx, my),
        "xx": gx * gx * centred(s["xx"], s["mx"], s["mx"], mx, mx),
        "yy": gy * gy * centred(s["yy"], s["my"], s["my"], my, my),
        "ntk": gx * gy * s["ntk"],
        "mx": gx * (s["mx"] - mx),
        "my": gy * (s["my"] - my),
    }
