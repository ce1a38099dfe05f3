"""A linear model of what Transform gives: what a trained model has to keep up with.

numbers and times -> standardised        categories, buckets, crosses -> 1 at their own place
n-grams -> counts or their weights, rare ones more, of length 1 a text
-> beside each other -> logistic regression of classes or of each label, ridge regression of a number
"""

import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import StandardScaler

from trainer.features import names
from trainer.problem import Problem
from trainer.tasks import Multilabel, Regression

Transformed = Mapping[str, np.ndarray]  # (rows, ...) by name
Block = Callable[[Transformed], sparse.csr_matrix]  # some columns, float32 (rows, n)

_NUMBERS = (names.NUMBERS, names.MISSING, names.TIMES)  # ranks are left out: they bend the numbers
_PLACES = (names.CATEGORIES, names.ONE_HOT, names.BUCKETS, names.CROSSES)
_MOST_PLACES = 10_000  # that are told apart, the most frequent ones
_LOUDNESS = 5.0  # of a text beside a number, which is as much as that it is regularised less
_ITERATIONS = 200


class LinearModel:
    """Answers for rows what the task serves: probabilities (rows, classes or labels), or numbers (rows,), float64 each."""

    def __init__(self, problem: Problem, rows: Transformed, labels: np.ndarray) -> None:
        """Fits it.

        Args:
          problem: what is learnt, with its classes; its features are not only pictures.
          rows: what `transform_examples` of the exported model gives.
          labels: as `components.labelled_rows` gives them; rows without a known one are left out.
        """
        known = np.isfinite(labels) if isinstance(problem.task, Regression) else labels >= 0
        known = known if labels.ndim == 1 else np.ones(len(labels), bool)
        rows, labels = {name: values[known] for name, values in rows.items()}, labels[known]
        self._outputs = problem.task.outputs
        self._blocks = _blocks(rows)
        self._answer = _fitted(problem, self._columns(rows), labels)

    def __call__(self, rows: Transformed) -> np.ndarray:
        """The answers for rows."""
        return self._answer(self._columns(rows))

    def _columns(self, rows: Transformed) -> sparse.csr_matrix:
        return sparse.hstack([block(rows) for block in self._blocks], format="csr", dtype=np.float32)


def _blocks(rows: Transformed) -> list[Block]:
    numbers = [name for name in _NUMBERS if name in rows]
    texts = [name for name in rows if name.startswith(names.TOKENS)]
    blocks = [_numbers(numbers, rows)] if numbers else []
    return blocks + [_places(name, rows) for name in _PLACES if name in rows] + [_text(name, rows) for name in texts]


def _numbers(of: Sequence[str], rows: Transformed) -> Block:
    def together(rows: Transformed) -> np.ndarray:
        return np.concatenate([rows[name] for name in of], axis=1)

    scaler = StandardScaler().fit(together(rows))
    return lambda rows: sparse.csr_matrix(scaler.transform(together(rows)))


def _places(name: str, rows: Transformed) -> Block:
    """Places that no row of the sample has are 0 everywhere."""
    seen, counts = np.unique(rows[name], return_counts=True)
    kept = np.sort(seen[np.argsort(-counts, kind="stable")[:_MOST_PLACES]])

    def marks(rows: Transformed) -> sparse.csr_matrix:
        place = np.searchsorted(kept, rows[name])
        is_kept = np.take(kept, place, mode="clip") == rows[name]
        return _bag(np.where(is_kept, place, len(kept)), is_kept.astype(np.float32), len(kept) + 1)

    return marks


def _text(name: str, rows: Transformed) -> Block:
    """Of a text whose n-grams have weights these count in place of their rarity."""
    weights = names.NGRAM_WEIGHTS + name.removeprefix(names.TOKENS)
    size = int(rows[name].max(initial=0)) + 1

    def counts(rows: Transformed) -> sparse.csr_matrix:
        tokens = rows[name]
        is_there = (tokens > 0) & (tokens < size)
        return _bag(np.where(is_there, tokens, 0), np.where(is_there, rows.get(weights, 1.0), 0.0).astype(np.float32), size)

    rarity = TfidfTransformer(use_idf=weights not in rows, sublinear_tf=False).fit(counts(rows))
    return lambda rows: rarity.transform(counts(rows)) * np.float32(_LOUDNESS)


def _bag(places: np.ndarray, values: np.ndarray, size: int) -> sparse.csr_matrix:
    """float32 (rows, size): the sum of `values` at each of `places`, (rows, n) both."""
    starts = np.arange(len(places) + 1) * places.shape[1]
    bag = sparse.csr_matrix((values.ravel(), places.ravel().astype(np.int32), starts), shape=(len(places), size))
    bag.sum_duplicates()
    bag.eliminate_zeros()
    return bag


def _fitted(problem: Problem, columns: sparse.csr_matrix, labels: np.ndarray) -> Callable[[sparse.csr_matrix], np.ndarray]:
    if isinstance(problem.task, Regression):
        mean, deviation = labels.mean(), labels.std() or 1.0
        ridge = Ridge(solver="sparse_cg", tol=1e-6).fit(columns, (labels - mean) / deviation)
        return lambda asked: ridge.predict(asked).astype(np.float64) * deviation + mean
    regression = LogisticRegression(max_iter=_ITERATIONS)
    is_multilabel = isinstance(problem.task, Multilabel)
    classes = np.arange(labels.shape[1]) if is_multilabel else np.unique(labels)
    if len(classes) == 1 and not is_multilabel:
        return lambda asked: np.repeat(np.eye(problem.task.outputs)[classes], asked.shape[0], axis=0)
    model = OneVsRestClassifier(regression) if is_multilabel else regression
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # close is good enough for what is only compared with
        warnings.filterwarnings("ignore", "Label .* is present in all training examples")
        model.fit(columns, labels)

    def answer(asked: sparse.csr_matrix) -> np.ndarray:
        probabilities = np.zeros((asked.shape[0], problem.task.outputs))
        probabilities[:, classes] = model.predict_proba(asked)
        return probabilities

    return answer
