"""Several workers that train one model: TensorFlow's strategy of them, and what they have to decide alike.

Whatever one of them sums up over all, all must: a worker that does not waits for ever, or has the others wait. So whatever depends on
a clock, a signal or a file is decided by asking all of them first. On one machine all of this is the worker's own answer.
"""

import contextlib
import faulthandler
import hashlib
import logging
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context  # the settings of the coordination service have no public name, nor one place

from trainer import cluster as clusters
from trainer.cause import one_line
from trainer.cluster import Cluster
from trainer.errors import ConfigError, TrainingError

_LOST_AFTER = 30  # seconds without a sign of life, where the connection itself does not end
_CONNECTED_AFTER = 300  # seconds that TensorFlow may take once all workers are there

_log = logging.getLogger(__name__)


def make_strategy(minutes: float) -> tf.distribute.Strategy | None:
    """The strategy of the workers that TF_CONFIG names, when all are there; None where it names one alone.

    Call it before anything else uses TensorFlow in this process.

    Args:
      minutes: how long they wait for each other.

    Raises:
      ConfigError: TF_CONFIG is wrong, or TensorFlow is in use. TrainingError: a worker has not come.
    """
    cluster = clusters.of_environment(os.environ)
    if len(cluster.addresses) == 1:
        return None
    if context.context()._context_handle is not None:
        raise ConfigError(
            "Expected a process in which TensorFlow was not used yet for `trainer.strategy: multi_worker`. Received: one in which it was, "
            "as where Transform has run in it. Run on Kubeflow, where each step is a process, or `python -m trainer.worker FN_ARGS.json`."
        )
    clusters.meet(cluster, minutes)
    _log.info("All %d workers are there; this is %s.", len(cluster.addresses), cluster.said(cluster.number))
    job = cluster.names[0].partition(" ")[0]
    jobs: dict[str, int] = {}
    for name in cluster.names:
        jobs[name.partition(" ")[0]] = jobs.get(name.partition(" ")[0], 0) + 1
    context.context().configure_coordination_service(
        "standalone",
        service_leader=f"/job:{job}/replica:0/task:0",
        cluster_register_timeout_in_ms=1000 * _CONNECTED_AFTER,
        heartbeat_timeout_in_ms=1000 * _LOST_AFTER,
        coordinated_jobs=[context.coordination_config_pb2.CoordinatedJob(name=name, num_tasks=number) for name, number in jobs.items()],
    )
    faulthandler.dump_traceback_later(_CONNECTED_AFTER, exit=True)  # the only way out: TensorFlow keeps Python from running
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        raise TrainingError(
            f"Expected TensorFlow to connect {cluster.said(cluster.number)} with the other workers. Received: {one_line(error)} "
            "Start all of them again, with ports that are free."
        ) from None
    finally:
        faulthandler.cancel_dump_traceback_later()


class Workers:
    """Those of a strategy; one for all others than `MultiWorkerMirroredStrategy`.

    Attributes:
      count: how many.
      number: which of them this one is.
      is_chief: whether it is the one that writes what is kept.
    """

    def __init__(self, strategy: tf.distribute.Strategy) -> None:
        self._strategy = strategy
        is_one = not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) or clusters.VARIABLE not in os.environ
        self._cluster = Cluster(("",), 0, ("",)) if is_one else clusters.of_environment(os.environ)
        self.count, self.number = len(self._cluster.addresses), self._cluster.number
        self.is_chief = self.number == 0

    def gathered(self, values: np.ndarray) -> np.ndarray:
        """The `values` of all workers, of one shape and type, bit for bit: (workers, ...)."""
        if self.count == 1:
            return values[np.newaxis]
        content = np.frombuffer(values.tobytes(), np.uint8)
        own = np.zeros(-(-len(content) // 4) * 4, np.uint8)
        own[: len(content)] = content
        all_of_them = np.zeros((self.count, len(own) // 4), np.int32)
        all_of_them[self.number] = own.view(np.int32)
        nothing = np.zeros_like(all_of_them)
        first = self.number * self._strategy.num_replicas_in_sync // self.count  # of this worker's replicas
        parts = self._strategy.experimental_distribute_values_from_function(
            lambda replica: tf.constant(all_of_them if replica.replica_id_in_sync_group == first else nothing)
        )
        whole = self._strategy.reduce(tf.distribute.ReduceOp.SUM, parts, axis=None).numpy()
        rows = np.ascontiguousarray(np.ascontiguousarray(whole).view(np.uint8)[:, : len(content)])
        return np.frombuffer(rows.tobytes(), values.dtype).reshape(self.count, *values.shape)

    def of_chief(self, value: int) -> int:
        """The chief's value, on each of them."""
        return int(self.gathered(np.asarray(value, np.int64))[0])

    def any(self, value: bool) -> bool:
        """Whether it is true on one of them."""
        return bool(self.gathered(np.asarray(value)).any())

    def differing(self, said: str) -> list[str]:
        """The workers that say something else than the chief, for a line."""
        all_of_them = self.gathered(np.frombuffer(said.encode().ljust(64)[:64], np.uint8))
        return [self._cluster.said(number) for number, each in enumerate(all_of_them) if (each != all_of_them[0]).any()]

    def copies(self, of: dict[str, list[np.ndarray]]) -> dict[str, list[np.ndarray]]:
        """What every replica has, in their order, of what this worker's replicas have; each name's are of one shape and type."""
        if self.count == 1:
            return of
        digests = {name: np.frombuffer(_digest(copies), np.uint8) for name, copies in of.items()}
        alike = self.gathered(np.stack(list(digests.values())))
        whole = {}
        for place, (name, copies) in enumerate(of.items()):
            is_alike = bool((alike[:, place] == alike[0, place]).all())
            whole[name] = copies * self.count if is_alike else list(np.concatenate(self.gathered(np.stack(copies))))
        return whole

    def distributed(self, dataset: tf.data.Dataset) -> Any:
        """`dataset` of this worker's parts of the global batches, each of whose rows go to its replicas, in their order, as even as can be.

        They share it as those of `MirroredStrategy` share a batch. Of one that ends, no more may be asked.
        """
        if self.count == 1:
            return self._strategy.experimental_distribute_dataset(dataset)
        local = self._strategy.num_replicas_in_sync // self.count

        def parts(*batch: Any) -> tf.data.Dataset:
            share = -(-tf.shape(tf.nest.flatten(batch)[0])[0] // local)

            def part(replica: tf.Tensor) -> Any:
                return tf.nest.map_structure(lambda rows: rows[replica * share : (replica + 1) * share], batch)

            return tf.data.Dataset.range(local, output_type=tf.int32).map(part)

        # Of one without an end TensorFlow does not ask all workers before each batch whether there is one more.
        own = dataset.flat_map(parts).repeat().prefetch(2 * local)
        return self._strategy.distribute_datasets_from_function(lambda _: own)

    @contextlib.contextmanager
    def told(self, next_step: str) -> Iterator[None]:
        """Inside, a worker that is lost is one line, a TrainingError that ends with `next_step`."""
        try:
            yield
        except tf.errors.OpError as error:
            if self.count == 1:
                raise
            lost = " and ".join(self._cluster.said(number) for number in clusters.missing(self._cluster))
            if not lost and not isinstance(error, _OF_LOST):
                raise
            raise TrainingError(
                f"Expected {lost or 'every worker'} to train with {self._cluster.said(self.number)}. Received: no answer any more. "
                f"Its own log says why it has ended. {next_step}"
            ) from None


_OF_LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)


def _digest(copies: list[np.ndarray]) -> bytes:
    return hashlib.sha256(b"".join(copy.tobytes() for copy in copies)).digest()
