"""Many callers at a time: each gets its own rows back, whatever the others ask for, and whether or not the server batches them."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tensorflow as tf

from tests.serving.conformance.target import example, predict_request, refused

_CALLERS, _CALLS = 16, 160


@pytest.fixture
def at_once():
    """Called with a function of a number: its results for many numbers, asked for by several threads."""
    with ThreadPoolExecutor(_CALLERS) as pool:
        yield lambda ask: list(pool.map(ask, range(_CALLS)))


def _outputs(target, *arguments, **spec):
    response = target.predict(predict_request(*arguments, **spec))
    return {name: tf.make_ndarray(tensor).tolist() for name, tensor in response.outputs.items()}


def test_each_caller_gets_its_own_rows(target, at_once):
    def ask(number):
        return _outputs(target, "half_plus_two", {"x": np.full([1 + number % 5, 1], number, np.float32)})["y"]

    assert at_once(ask) == [[[number / 2 + 2]] * (1 + number % 5) for number in range(_CALLS)]


def test_each_caller_gets_its_own_rows_over_rest(target, at_once):
    def ask(number):
        return target.post("/v1/models/half_plus_two:predict", {"instances": [float(number)] * (1 + number % 5)}).json

    assert at_once(ask) == [{"predictions": [number / 2 + 2] * (1 + number % 5)} for number in range(_CALLS)]


def test_shapes_may_differ_between_callers(target, at_once):
    shapes = [(), (1,), (3,), (2, 2), (2, 3), (0,), (1, 2, 3)]

    def ask(number):
        sent = np.full(shapes[number % len(shapes)], number, np.float32)
        return _outputs(target, "echo", {"x": sent})["y"] == sent.tolist()

    assert all(at_once(ask))


def test_signatures_and_filters_may_differ_between_callers(target, at_once):
    def ask(number):
        inputs = {"a": np.float32([number]), "b": np.float32([1])}
        return _outputs(target, "shapes", inputs, [["sum"], ["difference"], []][number % 3])

    both = [{"sum": [number + 1.0], "difference": [number - 1.0]} for number in range(_CALLS)]
    kept = [{"sum"}, {"difference"}, {"sum", "difference"}]
    assert at_once(ask) == [{name: entry[name] for name in entry if name in kept[number % 3]} for number, entry in enumerate(both)]


def test_outputs_without_rows_are_each_callers_own(target, at_once):
    def ask(number):
        return _outputs(target, "shapes", {"x": np.float32([number, 1])}, signature="scalar_output")["total"]

    assert at_once(ask) == [number + 1.0 for number in range(_CALLS)]


def test_outputs_longer_than_the_inputs_are_each_callers_own(target, at_once):
    def ask(number):
        return _outputs(target, "shapes", {"x": np.float32([number, 1])}, signature="uneven_outputs")["twice"]

    assert at_once(ask) == [[number, 1.0, number, 1.0] for number in range(_CALLS)]


def test_a_bad_request_harms_no_other(target, at_once):
    def ask(number):
        if number % 4 == 0:
            return refused(target.predict, predict_request("shapes", {"matrix": np.ones([1, 3], np.float32)}, signature="matmul"))[0]
        return _outputs(target, "shapes", {"matrix": np.float32([[number, 1]])}, signature="matmul")["product"]

    assert at_once(ask) == [[[number + 10.0]] if number % 4 else "INVALID_ARGUMENT" for number in range(_CALLS)]


def test_an_example_that_does_not_parse_harms_no_other(target, at_once):
    good = example(x=2.0).SerializeToString()

    def ask(number):
        if number % 4 == 0:
            return refused(target.predict, predict_request("module", {"examples": [b"\xff no example"]}))[0]
        return _outputs(target, "module", {"examples": [good]})["scaled"]

    assert at_once(ask) == [[6.0] if number % 4 else "INVALID_ARGUMENT" for number in range(_CALLS)]
