"""The linear probe: logistic regression on embeddings that stay as they are."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score

from training.evaluate import unit

# Inverse regularisation strengths that are tried; unit rows need weak regularisation.
STRENGTHS = (1.0, 10.0, 100.0, 1000.0)
FOLDS = 3


def linear_probe(
    train: np.ndarray, codes: np.ndarray, test: np.ndarray, *, seed: int = 0
) -> np.ndarray:
    """Classes `(m,)` int64 that a linear classifier gives to test embeddings.

    The regularisation is chosen by cross-validation within the training rows, so the test rows
    decide nothing.

    Args:
        train: `(n, d)` embeddings to learn from.
        codes: `(n,)` int64, their classes; at least two of each.
        test: `(m, d)` embeddings to classify.
        seed: fixes the folds.
    """
    rows = unit(train)
    mean = rows.mean(axis=0)
    rows, asked = rows - mean, unit(test) - mean
    folds = StratifiedKFold(
        min(FOLDS, int(np.unique(codes, return_counts=True)[1].min())),
        shuffle=True,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # Nearly separable classes never converge at the weakest strength; its score stands.
        warnings.simplefilter("ignore", ConvergenceWarning)
        scores = [
            cross_val_score(_classifier(strength), rows, codes, cv=folds).mean()
            for strength in STRENGTHS
        ]
        best = STRENGTHS[int(np.argmax(scores))]  # of equals the most regularised
        predicted: np.ndarray = _classifier(best).fit(rows, codes).predict(asked)
    return predicted.astype(np.int64)


def _classifier(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=500)
