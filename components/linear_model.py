"""A linear model of what Transform gives: what a trained model has to keep up with.

numbers, times, series -> standardised   categories, buckets, crosses -> 1 at their own place
n-grams -> counts or their weights, rare ones more, of length 1 a text
-> beside each other -> logistic regression of classes or of each label, ridge regression of a number

Regularisation is scikit-learn's default, the linear model that anybody has in five lines: it is not tuned (docs/adr/0040).
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

_NUMBERS = (names.NUMBERS, names.MISSING, names.TIMES, names.SERIES)  # ranks are left out: they bend the numbers
_PLACES = (names.CATEGORIES, names.ONE_HOT, names.BUCKETS, names.CROSSES)
_MOST_PLACES = 20_000  # of categories, or of n-grams, that are told apart, the most frequent ones
_ITERATIONS = 100
_TOLERANCE = 1e-3  # of the gradient; log losses change by less
_MOST_WORK = 20_000_000  # values other than 0 times classes or labels, which an iteration takes about 50 ms for
_FEWEST_ROWS = 2000  # that it is fitted by, however much work they are


class LinearModel:
    """Answers for rows what the task serves: probabilities (rows, classes or labels), or numbers (rows,), float64 each."""

    def __init__(self, problem: Problem, rows: Transformed, labels: np.ndarray) -> None:
        """Fits it.

        Args:
          problem: what is learnt, with its classes; none of its features is a picture.
          rows: what `transform_examples` of the exported model gives.
          labels: as `components.labelled_rows` gives them; rows without a known one are left out.
        """
        known = np.isfinite(labels) if isinstance(problem.task, Regression) else labels >= 0
        known = known if labels.ndim == 1 else np.ones(len(labels), bool)
        rows, labels = {name: values[known] for name, values in rows.items()}, labels[known]
        self._outputs = problem.task.outputs
        self._blocks = _blocks(rows)
        columns = self._columns(rows)
        step = min(-(-columns.nnz * self._outputs // _MOST_WORK), max(1, len(labels) // _FEWEST_ROWS))
        self._answer = _fitted(problem, columns[:: max(1, step)], labels[:: max(1, step)])

    def __call__(self, rows: Transformed) -> np.ndarray:
        """The answers for rows."""
        return self._answer(self._columns(rows))

    def _columns(self, rows: Transformed) -> sparse.csr_matrix:
        return sparse.hstack([block(rows) for block in self._blocks], format="csr", dtype=np.float32)


def _blocks(rows: Transformed) -> list[Block]:
    numbers = [name for name in _NUMBERS if name in rows]
    texts = list(names.text_inputs(rows))
    blocks = [_numbers(numbers, rows)] if numbers else []
    return blocks + [_places(name, rows) for name in _PLACES if name in rows] + [_text(name, rows) for name in texts]


def _numbers(of: Sequence[str], rows: Transformed) -> Block:
    def together(rows: Transformed) -> np.ndarray:
        return np.concatenate([rows[name].reshape(len(rows[name]), -1) for name in of], axis=1)

    scaler = StandardScaler().fit(together(rows))
    return lambda rows: sparse.csr_matrix(scaler.transform(together(rows)))


def _places(name: str, rows: Transformed) -> Block:
    """Places that no row of the sample has are 0 everywhere."""
    found = _most_frequent(rows[name])
    return lambda rows: _bag(rows[name], np.ones(rows[name].shape, np.float32), found)


def _text(name: str, rows: Transformed) -> Block:
    """Of a text whose n-grams have weights these count in place of their rarity."""
    weights = names.NGRAM_WEIGHTS + name.removeprefix(names.TOKENS)
    found = _most_frequent(rows[name][rows[name] > 0])

    def counts(rows: Transformed) -> sparse.csr_matrix:
        return _bag(rows[name], rows.get(weights, np.ones(rows[name].shape, np.float32)), found)

    rarity = TfidfTransformer(use_idf=weights not in rows).fit(counts(rows))
    return lambda rows: rarity.transform(counts(rows))


def _most_frequent(places: np.ndarray) -> np.ndarray:
    """int64 (n,), rising; at least one."""
    seen, counts = np.unique(places, return_counts=True)
    return np.sort(seen[np.argsort(-counts, kind="stable")[:_MOST_PLACES]]) if len(seen) else np.zeros(1, np.int64)


def _bag(places: np.ndarray, values: np.ndarray, found: np.ndarray) -> sparse.csr_matrix:
    """float32 (rows, len(found)): the sum of `values` at each of `places`, (rows, n) both, as far as they are among `found`."""
    columns = np.searchsorted(found, places)
    is_found = np.take(found, columns, mode="clip") == places
    starts = np.concatenate([[0], np.cumsum(is_found.sum(axis=1))])
    bag = sparse.csr_matrix((values[is_found].astype(np.float32), columns[is_found], starts), shape=(len(places), len(found)))
    bag.sum_duplicates()
    return bag


def _fitted(problem: Problem, columns: sparse.csr_matrix, labels: np.ndarray) -> Callable[[sparse.csr_matrix], np.ndarray]:
    if isinstance(problem.task, Regression):
        mean, deviation = labels.mean(), labels.std() or 1.0
        ridge = Ridge(solver="sparse_cg", tol=1e-6).fit(columns, (labels - mean) / deviation)
        return lambda asked: ridge.predict(asked).astype(np.float64) * deviation + mean
    regression = LogisticRegression(max_iter=_ITERATIONS, tol=_TOLERANCE)
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
