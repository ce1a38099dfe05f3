"""Batching: who runs with whom, who waits, and that nobody's answer or fault becomes another's."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from serving.errors import FailedPreconditionError, InvalidArgumentError, StartError, UnavailableError
from serving.server.batching import Batching
from serving.server.batching_parameters import BatchingParameters, read_batching_parameters

SECONDS = 30.0  # the longest that anything here may take; nothing waits for it unless it is broken


class Doubler:
    """A model that doubles, remembers the rows of every run, and holds its first run until it is let go."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.let_go = threading.Event()

    def __call__(self, rows: np.ndarray) -> list[np.ndarray]:
        self.sizes.append(len(rows))
        if len(self.sizes) == 1:
            assert self.let_go.wait(SECONDS)
        if np.any(rows == 13):
            raise ValueError("13 is not welcome")
        return [rows * 2]


def _answers(parameters: BatchingParameters, model: Callable, requests: list, observe: Callable | None = None) -> list:
    """What each request got, array or error: the first is run and held, the others wait behind it in this order."""

    async def ask() -> list:
        batching = Batching(parameters, *([observe] if observe else []))
        tasks: list[Awaitable] = []
        for request in requests:
            rows = request if isinstance(request, tuple) else (model, request)
            tasks.append(asyncio.ensure_future(batching.run(rows[0], [np.array(rows[1])])))
            while not tasks[0].done() and not model.sizes:
                await asyncio.sleep(0)
            await asyncio.sleep(0)  # the task has joined its queue
        model.let_go.set()
        answers = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), SECONDS)
        assert not batching._queues
        assert not batching._running
        assert len(batching._idle) == parameters.num_batch_threads
        batching.close()
        return [answer if isinstance(answer, Exception) else answer[0].tolist() for answer in answers]

    return asyncio.run(ask())


def _run(parameters: BatchingParameters, call: Callable, *arrays: np.ndarray) -> list[np.ndarray]:
    async def ask() -> list[np.ndarray]:
        batching = Batching(parameters)
        try:
            return await asyncio.wait_for(batching.run(call, arrays), SECONDS)
        finally:
            batching.close()

    return asyncio.run(ask())


def test_those_who_wait_run_together_and_each_gets_its_own_rows():
    model = Doubler()
    assert _answers(BatchingParameters(num_batch_threads=1), model, [[1], [2, 3], [4], [5, 6, 7]]) == [[2], [4, 6], [8], [10, 12, 14]]
    assert model.sizes == [1, 6]


def test_a_batch_holds_no_more_than_its_size_and_requests_are_not_torn_apart():
    model = Doubler()
    parameters = BatchingParameters(num_batch_threads=1, max_batch_size=4)
    assert _answers(parameters, model, [[1], [2, 2, 2], [3, 3], [4, 4]]) == [[2], [4, 4, 4], [6, 6], [8, 8]]
    assert model.sizes == [1, 3, 4]


def test_a_request_that_fails_fails_alone():
    first, second, third, fourth = _answers(BatchingParameters(num_batch_threads=1), Doubler(), [[1], [2], [13], [4]])
    assert (first, second, fourth) == ([2], [4], [8])
    assert isinstance(third, ValueError)
    assert str(third) == "13 is not welcome"


def test_rows_of_another_shape_or_another_model_run_in_batches_of_their_own():
    model, other = Doubler(), Doubler()
    other.let_go.set()
    requests = [[[1]], [[2]], [[3, 3]], [[4]], (other, [[5]])]
    assert _answers(BatchingParameters(num_batch_threads=1), model, requests) == [[[2]], [[4]], [[6, 6]], [[8]], [[10]]]
    assert sorted(model.sizes) == [1, 1, 2]
    assert other.sizes == [1]


def test_a_full_queue_refuses_and_those_in_it_are_answered():
    parameters = BatchingParameters(num_batch_threads=1, max_batch_size=2, max_enqueued_batches=1)
    *answers, refused = _answers(parameters, Doubler(), [[1], [2], [3], [4]])
    assert answers == [[2], [4], [6]]
    assert isinstance(refused, UnavailableError)
    assert "is full; currently 1 batches enqueued and max_enqueued_batches is 1" in str(refused)


def test_allowed_sizes_are_filled_up_and_the_filling_is_taken_off_again():
    observed, model = [], Doubler()
    parameters = BatchingParameters(num_batch_threads=1, max_batch_size=8, allowed_batch_sizes=(2, 8))
    answers = _answers(
        parameters, model, [[1], [2, 3], [4]], lambda model, rows, padding, waits, seconds: observed.append((rows, padding, len(waits)))
    )
    assert answers == [[2], [4, 6], [8]]
    assert model.sizes == [2, 8]
    assert observed[0] == (2, 1, 1)


def test_an_observer_that_fails_keeps_no_answer_back():
    def fail(model, rows, padding, waits, seconds):
        raise ZeroDivisionError

    assert _answers(BatchingParameters(num_batch_threads=1), Doubler(), [[1], [2], [3]], fail) == [[2], [4], [6]]


def test_who_stops_waiting_is_not_worked_for():
    async def ask() -> None:
        batching, model = Batching(BatchingParameters(num_batch_threads=1)), Doubler()
        tasks = [asyncio.ensure_future(batching.run(model, [np.array([value])])) for value in (1,)]
        while not model.sizes:
            await asyncio.sleep(0)
        tasks += [asyncio.ensure_future(batching.run(model, [np.array([value])])) for value in (2, 3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        model.let_go.set()
        answers = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), SECONDS)
        batching.close()
        assert [answers[0][0].tolist(), answers[2][0].tolist()] == [[2], [6]]
        assert model.sizes == [1, 1]

    asyncio.run(ask())


def test_with_a_timeout_a_lone_request_waits_for_company_until_the_batch_is_full():
    model = Doubler()
    model.let_go.set()
    parameters = BatchingParameters(num_batch_threads=1, max_batch_size=3, batch_timeout_micros=int(SECONDS * 2e6))

    async def ask() -> list:
        batching = Batching(parameters)
        runs = [batching.run(model, [np.array([value])]) for value in (1, 2, 3)]
        answers = await asyncio.wait_for(asyncio.gather(*runs), SECONDS)
        batching.close()
        return [answer[0].tolist() for answer in answers]

    assert asyncio.run(ask()) == [[2], [4], [6]]
    assert model.sizes == [3]


def test_when_the_timeout_is_over_a_lone_request_runs_without_company():
    model = Doubler()
    model.let_go.set()
    assert _run(BatchingParameters(num_batch_threads=1, batch_timeout_micros=1000), model, np.array([1]))[0].tolist() == [2]
    assert model.sizes == [1]


def test_one_caller_alone_of_a_quick_model_soon_pays_for_no_batch_thread():
    async def ask() -> list[str]:
        batching, threads = Batching(BatchingParameters()), []

        def call(rows: np.ndarray) -> list[np.ndarray]:
            threads.append(threading.current_thread().name)
            return [rows]

        for number in range(100):
            await batching.run(call, [np.array([number])], is_marked=True)
            while asyncio.get_running_loop().time() - batching._delivered < 0.001:  # as long as an answer and a question take to travel
                await asyncio.sleep(0)
        batching.close()
        return threads

    threads = asyncio.run(ask())
    assert threads[0].startswith("batch-")
    assert threads[-1] == threading.main_thread().name


@pytest.mark.parametrize(
    ("is_marked", "sent"),
    [(False, np.array([1])), (True, np.zeros(1025)), (True, np.zeros(5)), (True, np.array([b"x" * 1025], object))],
    ids=["no mark", "many bytes", "many rows", "long text"],
)
def test_what_might_take_long_never_runs_in_the_event_loop_however_quick_its_model_was(is_marked, sent):
    async def ask() -> list[bool]:
        batching, here = Batching(BatchingParameters()), []

        def call(rows: np.ndarray) -> list[np.ndarray]:
            here.append(threading.current_thread() is threading.main_thread())
            return [rows]

        async def ask_alone(rows: np.ndarray, *, is_marked: bool) -> None:
            await batching.run(call, [rows], is_marked=is_marked)
            while asyncio.get_running_loop().time() - batching._delivered < 0.001:  # as long as an answer and a question take to travel
                await asyncio.sleep(0)

        for _ in range(40):
            await ask_alone(np.array([1]), is_marked=True)
        await ask_alone(sent, is_marked=is_marked)
        batching.close()
        return here

    *before, last = asyncio.run(ask())
    assert before[-1]
    assert not last


def test_what_may_not_share_its_rows_runs_by_itself_and_in_turn_with_the_others():
    """Three ask for a model whose rows are not independent while two ask for another one; one thread runs them all."""
    model, other = Doubler(), Doubler()
    other.let_go.set()

    async def ask() -> list:
        batching = Batching(BatchingParameters(num_batch_threads=1, gather_micros=0))
        tasks = [asyncio.ensure_future(batching.run(model, [np.array([0])], shares_rows=False))]
        while not model.sizes:
            await asyncio.sleep(0)
        tasks += [asyncio.ensure_future(batching.run(model, [np.arange(rows)], shares_rows=False)) for rows in (1, 2, 3)]
        tasks += [asyncio.ensure_future(batching.run(other, [np.array([value])])) for value in (4, 5)]
        await asyncio.sleep(0)
        order = [asyncio.ensure_future(_noted(task, number)) for number, task in enumerate(tasks)]
        model.let_go.set()
        await asyncio.wait_for(asyncio.gather(*order), SECONDS)
        assert not batching._queues
        assert not batching._running
        batching.close()
        return [task.result()[0].tolist() for task in tasks]

    finished: list[int] = []

    async def _noted(task: Awaitable, number: int) -> None:
        await task
        finished.append(number)

    assert asyncio.run(ask()) == [[0], [0], [0, 2], [0, 2, 4], [8], [10]]
    assert model.sizes == [1, 1, 2, 3]
    assert other.sizes == [2]
    assert finished == [0, 1, 4, 5, 2, 3]


@pytest.mark.parametrize(("timeout", "threads"), [(0, 1), (0, 3), (200, 2)])
def test_every_one_of_many_callers_gets_the_answer_to_what_it_asked(timeout, threads):
    def call(rows: np.ndarray) -> list[np.ndarray]:
        return [rows * 2]

    async def ask() -> None:
        batching = Batching(BatchingParameters(num_batch_threads=threads, max_batch_size=16, batch_timeout_micros=timeout))

        async def caller(first: int) -> None:
            for number in range(first, 1920, 64):
                rows = np.arange(number, number + number % 5)
                assert np.array_equal((await batching.run(call, [rows]))[0], rows * 2)

        await asyncio.wait_for(asyncio.gather(*(caller(first) for first in range(64))), SECONDS)
        batching.close()

    asyncio.run(ask())


def test_what_cannot_be_batched_runs_by_itself_by_default_and_is_refused_where_parameters_are_given():
    def total(values: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
        return [values.sum()]

    lenient, strict = BatchingParameters(max_batch_size=2), BatchingParameters(max_batch_size=2, strict=True)
    for arrays, error, text in (
        ([np.array(5)], InvalidArgumentError, "input tensors must have at least one dimension"),
        ([np.array([1]), np.array([1, 2])], InvalidArgumentError, "must have equal 0th-dimension size"),
        ([np.array([1, 2, 3])], InvalidArgumentError, "Task size 3 is larger than maximum input batch size 2"),
        ([np.array([1, 2])], FailedPreconditionError, "Batched output tensor has 0 dimensions"),
    ):
        assert _run(lenient, total, *arrays) == [arrays[0].sum()]
        with pytest.raises(error, match=text):
            _run(strict, total, *arrays)


def test_no_rows_at_all_are_answered_whatever_the_parameters():
    assert _run(BatchingParameters(strict=True), lambda rows: [rows * 2], np.zeros((0, 3)))[0].shape == (0, 3)


def test_large_requests_are_split_where_that_is_asked_for():
    model = Doubler()
    model.let_go.set()
    parameters = BatchingParameters(max_batch_size=8, max_execution_batch_size=3, strict=True)
    assert _run(parameters, model, np.arange(7))[0].tolist() == [0, 2, 4, 6, 8, 10, 12]
    assert model.sizes == [3, 3, 1]


def test_rows_of_different_lengths_share_a_batch_where_padding_is_on():
    model = Doubler()
    parameters = BatchingParameters(num_batch_threads=1, pad_variable_length_inputs=True)
    assert _answers(parameters, model, [[[1]], [[2, 3]], [[4]]]) == [[[2]], [[4, 6]], [[8, 8]]]  # padded with its first value
    assert model.sizes == [1, 2]


def test_a_parameters_file_is_read_with_tensorflow_servings_defaults(tmp_path):
    file = tmp_path / "batching.txt"
    file.write_text("max_batch_size { value: 64 }\nbatch_timeout_micros { value: 500 }\nallowed_batch_sizes: 8\nallowed_batch_sizes: 64\n")
    parameters = read_batching_parameters(file)
    assert (parameters.max_batch_size, parameters.batch_timeout_micros, parameters.max_enqueued_batches) == (64, 500, 10)
    assert [parameters.padded_size(size) for size in (1, 8, 9, 64)] == [8, 8, 64, 64]
    assert parameters.strict


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("max_batch_size: 64", "is no BatchingParameters ("),
        ("max_batchsize { value: 64 }", "max_batchsize"),
        ("max_batch_size { value: 0 }", "expected max_batch_size to be at least 1, received 0"),
        ("batch_timeout_micros { value: -1 }", "expected batch_timeout_micros to be 0 or more, received -1"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: 4 allowed_batch_sizes: 2", "in increasing order"),
        (
            "max_batch_size { value: 4 } allowed_batch_sizes: 2",
            "the last of allowed_batch_sizes to be the maximum batch size, 4; received 2",
        ),
    ],
)
def test_a_wrong_parameters_file_is_refused_in_one_line(tmp_path, text, problem):
    file = tmp_path / "batching.txt"
    file.write_text(text)
    with pytest.raises(StartError) as caught:
        read_batching_parameters(file)
    assert problem in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


class Meeting:
    """A model whose runs report that they have begun, and go on when they are let go."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.held = threading.Event()
        self.let_go = threading.Event()
        self.let_go.set()

    def __call__(self, rows: np.ndarray) -> list[np.ndarray]:
        self.sizes.append(len(rows))
        self.held.set()
        assert self.let_go.wait(SECONDS)
        return [rows]


@pytest.mark.parametrize(("rows", "begun"), [(3, [2, 4]), (4, [2, 4, 4])], ids=["few wait", "many run"])
def test_beside_a_batch_that_is_soon_over_only_a_large_one_runs(rows, begun):
    """The first batch tells how long the model takes; the second is held, and the third asks to run beside it."""

    async def ask() -> list[int]:
        model, batching = Meeting(), Batching(BatchingParameters(num_batch_threads=2, max_batch_size=8, gather_micros=1))
        await batching.run(model, [np.zeros(2)])
        model.let_go.clear()
        model.held.clear()
        second = asyncio.ensure_future(batching.run(model, [np.zeros(4)]))
        await asyncio.to_thread(model.held.wait, SECONDS)
        model.held.clear()
        third = asyncio.ensure_future(batching.run(model, [np.zeros(rows)]))
        for _ in range(100):  # turns of the loop: gathering for a microsecond is over
            await asyncio.sleep(0)
        assert bool(batching._queues) == (len(begun) == 2), "the third waits in its queue, or has been given to a thread"
        if len(begun) == 3:
            await asyncio.to_thread(model.held.wait, SECONDS)
        seen = list(model.sizes)
        model.let_go.set()
        await asyncio.wait_for(asyncio.gather(second, third), SECONDS)
        batching.close()
        return seen

    assert asyncio.run(ask()) == begun
