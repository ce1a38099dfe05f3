"""What KFP says of a run's Argo nodes, as states of the package's tasks.

One task is up to three nodes: `Trainer-driver`, `Trainer`, and below it `executor`, whose pod runs the step. A task that KFP's cache has
answered succeeds with an executor that never ran. A later KFP has no node between: there the task's own node is the pod.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipeline.kubeflow.package import Package

ENDED = frozenset({"SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"})
_FAILED = frozenset({"FAILED", "ERROR", "CANCELED", "CANCELING", "SYSTEM_ERROR"})
_LEFT_OUT = frozenset({"SKIPPED", "OMITTED"})
_STEP, _DRIVER = "system-container-impl", "system-container-driver"  # templates, which are part of a pod's name


@dataclass(frozen=True)
class TaskState:
    """How far one task is.

    Attributes:
      state: `pending`, `running`, or as its line ends: `run`, `cached`, `skipped`, `failed`.
      began: None before it has; with its time zone, like `ended`.
      pods: names that the pod with its log may have; that of the driver where the step never began; none where nothing has.
      was_left_out: it was never its turn: something before it failed.
      driver_failed: KFP failed before the step began.
    """

    state: str = "pending"
    began: datetime | None = None
    ended: datetime | None = None
    pods: tuple[str, ...] = ()
    was_left_out: bool = False
    driver_failed: bool = False


def of(details: Iterable[Any], package: Package) -> dict[str, TaskState]:
    """The state of each task, from `run_details.task_details` (V2beta1PipelineTaskDetail)."""
    nodes = sorted((node for node in details if node.display_name), key=lambda node: str(_time(node.start_time) or ""))
    by_name = {node.display_name: node for node in nodes if node.display_name != "executor"}
    by_node = {node.pod_name: node for node in nodes if node.pod_name}
    return {task: _state(package, task, by_name, by_node) for task in package.tasks}


def _state(package: Package, task: str, by_name: dict[str, Any], by_node: dict[str, Any]) -> TaskState:
    name = package.tasks[task].get("taskInfo", {}).get("name") or task
    driver, node = (by_name.get(task + suffix) or by_name.get(name + suffix) for suffix in ("-driver", ""))
    if node is None and driver is None:
        return TaskState()
    executor = _executor(node, by_node)
    state = _word(driver, node, executor, bool(package.tasks[task].get("triggerPolicy", {}).get("condition")))
    began = min((time for part in (driver, node) if part is not None and (time := _time(part.start_time))), default=None)
    driver_failed = driver is not None and driver.state in _FAILED
    pods = _pods(driver, _DRIVER) if driver_failed else _pods(executor or node, _STEP)
    was_left_out = state == "skipped" and (driver is None or driver.state in _LEFT_OUT)
    return TaskState(state, began, _time((node or driver).end_time), pods, was_left_out, driver_failed)


def _pods(node: Any, template: str) -> tuple[str, ...]:
    """Argo's names of today, with the template in it, and of before 3.4."""
    if node is None or not node.pod_name:
        return ()
    workflow, _, number = node.pod_name.rpartition("-")
    return (f"{workflow}-{template}-{number}", node.pod_name)


def _executor(node: Any, by_node: dict[str, Any]) -> Any:
    """The node of the step's pod below the task's own, None where they are one."""
    children = [by_node.get(child.pod_name) for child in (node.child_tasks or [])] if node is not None else []
    return next((child for child in children if child is not None and child.display_name == "executor"), None)


def _word(driver: Any, node: Any, executor: Any, has_condition: bool) -> str:
    if any(part is not None and part.state in _FAILED for part in (driver, node)):
        return "failed"
    if node is None:
        return "running"
    if node.state == "CACHED" or (node.state == "SUCCEEDED" and executor is not None and executor.state in _LEFT_OUT):
        return "cached"
    if node.state in _LEFT_OUT:
        driver_ran = driver is not None and driver.state == "SUCCEEDED"
        return "cached" if driver_ran and not has_condition else "skipped"
    return "run" if node.state == "SUCCEEDED" else "running"


def _time(value: datetime | None) -> datetime | None:
    """KFP gives 1970 for a time that has not come."""
    return value if value is not None and value.year > 1970 else None
