"""Linear classifiers on embeddings, as scikit-learn estimators.

Every head is linear, so that it can be merged into the encoder's ONNX file: one score a class is
`rows @ coef_.T + intercept_`, and probabilities are the softmax of the scores over a temperature.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

# Until there are labels enough to calibrate with. Measured on unseen photos, the best for nearest
# mean falls from .14 to .09 between 1 and 20 labels a class; for logistic regression at C = 1 it
# rises from .2 to .4 between 5 and 20.
MEAN_TEMPERATURE = 0.1
LOGISTIC_TEMPERATURE = 0.25

# Measured on photos of garments and of CIFAR-10: 3 and 10 are no better where every class has as
# many labels, and points worse where some have a tenth of others.
LOGISTIC_C = 1.0

# Newton's method: the last step squares an error that was below this already.
TOLERANCE = 1e-4
MOST_STEPS = 200

# Shorter class means than this are left as they are: a zero stays zero instead of becoming NaN.
EPSILON = 1e-12


class LinearHead(ClassifierMixin, BaseEstimator, ABC):  # type: ignore[misc]  # sklearn has no types
    """What heads share once `coef_` `(c, d)`, `intercept_` `(c,)` and `classes_` are learned."""

    temperature: float

    def fit(self, X: np.ndarray, y: np.ndarray | Sequence[str]) -> Self:
        """Learn from examples.

        Args:
            X: `(n, d)` embeddings, rows of unit length.
            y: `(n,)` the class of each.

        Raises:
            ValueError: the two do not fit together or hold what is no number.
        """
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        self.coef_, self.intercept_ = self._learned(X.astype(np.float64), numbers)
        return self

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Scores: `(n, c)`, or `(n,)` for two classes, where above zero means the second."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Probabilities: `(n, c)`, each row adding up to one."""
        return softmax(self._scores(X), temperature=self.temperature)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The class with the highest score: `(n,)`."""
        numbers = np.argmax(self._scores(X), axis=1)
        best: np.ndarray = self.classes_[numbers]
        return best

    def _scores(self, X: np.ndarray) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        scores: np.ndarray = X @ self.coef_.T + self.intercept_
        return scores

    @abstractmethod
    def _learned(self, rows: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights `(c, d)` and biases `(c,)` from `(n, d)` float64 and `(n,)` class numbers."""


class NearestMean(LinearHead):
    """The class whose mean is nearest by cosine: nothing to tune, and good from one example on.

    Prototypical networks (Snell et al., arXiv 1703.05175) with cosines, as SimpleShot
    (Wang et al., arXiv 1911.04623) has them; the centring is in the encoder.
    """

    def __init__(self, *, temperature: float = MEAN_TEMPERATURE) -> None:
        self.temperature = temperature

    def _learned(self, rows: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        means = np.stack([rows[numbers == c].mean(axis=0) for c in range(numbers.max() + 1)])
        lengths = np.linalg.norm(means, axis=1, keepdims=True)  # (c, 1)
        return means / np.maximum(lengths, EPSILON), np.zeros(len(means))


class Logistic(LinearHead):
    """Logistic regression with an L2 penalty; every class counts the same, however many examples.

    The penalty is scikit-learn's: `C` times the sum of the losses, plus half the squared weights.
    """

    def __init__(self, *, C: float = LOGISTIC_C, temperature: float = LOGISTIC_TEMPERATURE) -> None:
        self.C = C
        self.temperature = temperature

    def _learned(self, rows: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        # Newton's method ends in five steps where L-BFGS needs fifty, and nearer to the optimum.
        model = LogisticRegression(
            C=self.C,
            class_weight="balanced",
            solver="newton-cg",
            tol=TOLERANCE,
            max_iter=MOST_STEPS,
        ).fit(rows, numbers)
        if len(model.coef_) == 1:  # two classes have one score between them: half to each
            return np.vstack([-model.coef_, model.coef_]) / 2, np.hstack(
                [-model.intercept_, model.intercept_]
            ) / 2
        return model.coef_, model.intercept_


def softmax(scores: np.ndarray, *, temperature: float = 1.0) -> np.ndarray:
    """Probabilities from scores: `(n, c)`, of the same dtype, each row adding up to one."""
    shares: np.ndarray = scores - scores.max(axis=1, keepdims=True)  # (n, c), zero or less
    shares /= shares.dtype.type(temperature)
    np.exp(shares, out=shares)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares
