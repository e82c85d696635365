"""Writes scores.json beside it: what scikit-learn and numpy make of the same numbers.

Run by hand with scikit-learn 1.2 or later when a case is added; the file is committed, so the tests need neither.
Scores and weights are float32 values, printed as the doubles they are; every list is row-major.
"""

import json
import pathlib

import numpy as np
from sklearn import metrics
from sklearn.preprocessing import label_binarize
from sklearn.utils.stats import _weighted_percentile

HERE = pathlib.Path(__file__).parent
random = np.random.default_rng(14)


def float32(values):
    return np.asarray(values, dtype="f4").astype("f8")


def weights_of(kind, n):
    return {"none": None, "some": float32(random.exponential(size=n)), "zeros": float32(random.integers(0, 3, n))}[kind]


def plain(values):
    return None if values is None else np.ravel(values).tolist()


def ranking(kind, n, digits):
    """`digits` makes ties."""
    positive = random.random(n) < 0.3
    scores = float32(np.clip(np.round(random.normal(0.4 + 0.2 * positive, 0.25), digits), 0, 1))
    weights = weights_of(kind, n)
    case = {"scores": plain(scores), "positive": plain(positive.astype(int)), "weights": plain(weights),
            "auc": metrics.roc_auc_score(positive, scores, sample_weight=weights),
            "average_precision": metrics.average_precision_score(positive, scores, sample_weight=weights)}
    # Every way to cut, tried.
    for rule in ("f1", "youden"):
        cuts = np.unique(scores[scores > 0])
        def value(cut):
            answers = scores >= cut
            if rule == "f1":
                return metrics.f1_score(positive, answers, sample_weight=weights, zero_division=0)
            of_rest = metrics.recall_score(~positive, ~answers, sample_weight=weights, zero_division=0)
            return metrics.recall_score(positive, answers, sample_weight=weights, zero_division=0) + of_rest - 1
        values = np.array([value(cut) for cut in cuts])
        case[rule] = {"score": values.max(), "answers": plain((scores >= cuts[values >= values.max() - 1e-12].max()).astype(int))}
    return case


def negative_weights(n):
    """By the definition, pair by pair: scikit-learn takes none."""
    positive = random.random(n) < 0.4
    scores = float32(np.round(random.random(n), 1))
    weights = float32(random.normal(0.6, 0.7, n))
    p, q = positive, ~positive
    pairs = np.outer(weights[p], weights[q])
    wins = (scores[p][:, None] > scores[q]) + 0.5 * (scores[p][:, None] == scores[q])
    return {"scores": plain(scores), "positive": plain(positive.astype(int)), "weights": plain(weights),
            "auc": (pairs * wins).sum() / pairs.sum()}


def classes(kind, n, k, answered):
    """Only `answered` classes are ever an answer; the last class never occurs."""
    labels = random.integers(0, k - 1, n)
    logits = float32(random.normal(size=(n, k)) + 1.5 * np.eye(k)[labels])
    logits[:, answered:] -= 30
    logits = float32(logits)
    answers = logits.argmax(1)
    weights = weights_of(kind, n)
    by_class = metrics.precision_recall_fscore_support(labels, answers, labels=range(k), sample_weight=weights, zero_division=0)
    occurring = np.unique(np.concatenate([labels, answers]))
    macro = metrics.precision_recall_fscore_support(labels, answers, labels=occurring, average="macro", sample_weight=weights,
                                                    zero_division=0)
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return {"classes": k, "logits": plain(logits), "labels": plain(labels), "weights": plain(weights),
            "precision": plain(by_class[0]), "recall": plain(by_class[1]), "f1": plain(by_class[2]),
            "macro": [float(value) for value in macro[:3]],
            "log_loss": metrics.log_loss(labels, odds / odds.sum(1, keepdims=True), labels=range(k), sample_weight=weights)}


def probabilities(kind, n, k):
    """One against the rest, of probabilities as float32."""
    labels = np.concatenate([np.arange(k), random.integers(0, k, n - k)])
    logits = random.normal(size=(n, k)) + np.eye(k)[labels]
    odds = np.exp(logits)
    shares = float32(odds / odds.sum(1, keepdims=True))
    weights = weights_of(kind, n)
    ones = label_binarize(labels, classes=range(k))
    exact = shares / shares.sum(1, keepdims=True)  # scikit-learn wants sums of 1
    assert np.allclose(metrics.roc_auc_score(labels, exact, multi_class="ovr", sample_weight=weights),
                       metrics.roc_auc_score(ones, shares, average="macro", sample_weight=weights), atol=1e-6)
    return {"classes": k, "probabilities": plain(shares), "labels": plain(labels), "weights": plain(weights),
            "auc": metrics.roc_auc_score(ones, shares, average="macro", sample_weight=weights),
            "average_precision": metrics.average_precision_score(ones, shares, average="macro", sample_weight=weights)}


def margins(kind, n, k):
    """Outputs that are no probabilities: far beyond where a float32 sigmoid is 1, and of classes with an offset by sample."""
    labels = np.concatenate([np.arange(max(k, 2)), random.integers(0, max(k, 2), n - max(k, 2))])
    ones = labels[:, None] if k == 1 else label_binarize(labels, classes=range(k))
    outputs = float32(30 + 20 * random.normal(size=(n, k)) + 15 * ones + 30 * random.normal(size=(n, 1)))
    weights = weights_of(kind, n)
    kept = {"average": "macro", "sample_weight": weights}
    return {"outputs": plain(outputs), "classes": k, "labels": plain(labels), "weights": plain(weights),
            "auc": metrics.roc_auc_score(ones, outputs, **kept),
            "average_precision": metrics.average_precision_score(ones, outputs, **kept)}


def binary(kind, n):
    targets = (random.random(n) < 0.4).astype(int)
    logits = float32(random.normal(targets - 0.5, 2))
    weights = weights_of(kind, n)
    return {"logits": plain(logits), "targets": plain(targets), "weights": plain(weights),
            "log_loss": metrics.log_loss(targets, 1 / (1 + np.exp(-logits)), sample_weight=weights)}


def errors(kind, n, k):
    true = float32(random.normal(size=(n, k)) * 3 + 1)
    predicted = float32(true + np.round(random.normal(size=(n, k)), 1) + np.arange(k))
    weights = weights_of(kind, n)
    kept = {"sample_weight": weights, "multioutput": "raw_values"}
    size = np.abs(predicted - true)
    if weights is None:
        quantiles = np.quantile(size, [0.5, 0.9, 0.95], axis=0)
    else:
        quantiles = np.array([_weighted_percentile(size, weights, 100 * q) for q in (0.5, 0.9, 0.95)])
    largest = size if weights is None else size[weights > 0]
    return {"targets": k, "true": plain(true), "predicted": plain(predicted), "weights": plain(weights),
            "quantiles": [quantiles[:, j].tolist() for j in range(k)], "largest": plain(largest.max(0)),
            "mape": plain(metrics.mean_absolute_percentage_error(true, predicted, **kept)),
            "explained_variance": plain(metrics.explained_variance_score(true, predicted, **kept)),
            "r2": plain(metrics.r2_score(true, predicted, **kept)),
            "rmse": plain(np.sqrt(metrics.mean_squared_error(true, predicted, **kept))),
            "mae": plain(metrics.mean_absolute_error(true, predicted, **kept))}


KINDS = ("none", "some", "zeros")
content = {
    "ranking": [ranking(kind, n, digits) for kind in KINDS for n, digits in ((12, 1), (60, 2), (60, 7))],
    "negative_weights": [negative_weights(40)],
    "classes": [classes(kind, 40, k, answered) for kind in KINDS for k, answered in ((3, 2), (7, 7))],
    "probabilities": [probabilities(kind, 40, k) for kind in KINDS for k in (3, 5)],
    "binary": [binary(kind, 30) for kind in KINDS],
    "errors": [errors(kind, n, k) for kind in KINDS for n, k in ((20, 1), (37, 3))],
    "margins": [margins(kind, 45, k) for kind in ("none", "some") for k in (1, 4)],
}
lines = []
for key, cases in content.items():
    lines.append(f"{json.dumps(key)}: [\n" + ",\n".join("  " + json.dumps(case) for case in cases) + "\n]")
(HERE / "scores.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
