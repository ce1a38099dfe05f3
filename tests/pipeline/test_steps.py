"""The registry of steps: complete, alone in spelling their ids, and cheap to import."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import config, dag, steps
from pipeline.code_digest import code_digests

CHECKOUT = Path(__file__).resolve().parents[2]
SPELLED = re.compile(rf"({'|'.join(steps.BY_ID)})([_-]\w*)?")  # an id itself, and what KFP and TFX make of one: Trainer_executor


def test_no_module_but_the_registry_spells_a_steps_id():
    spelled = [
        f"{path.relative_to(CHECKOUT)}:{node.lineno}: {node.value}"
        for folder in ("pipeline", "components", "trainer")
        for path in sorted((CHECKOUT / folder).rglob("*.py"))
        if path != CHECKOUT / "pipeline" / "steps.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SPELLED.fullmatch(node.value)
    ]
    assert spelled == []


@pytest.mark.parametrize("schema", [None, "/schema.pbtxt"], ids=["inferred", "reviewed"])
def test_the_registry_has_exactly_the_nodes_of_the_dag(schema):
    inputs = dag.Inputs(data_fingerprint="", schema_file=schema, serving_path="/serving", code=code_digests(), finds_start=True)
    configs = [  # with a step for its teacher, and one for its search; with one for the weights to start from
        ["trainer.loop=gradient_tape", "trainer.step=distill", "tuner={search: {trainer.dropout: [0.1, 0.2]}}"],
        ["trainer.start_from=last"],
    ]
    pipelines = [dag.create_pipeline(config.load("configs/digits.yaml", each), inputs, "/root", None, []) for each in configs]
    nodes = {node.id for pipeline in pipelines for node in pipeline.components}
    left_out = steps.SCHEMA if schema else steps.REVIEWED_SCHEMA
    assert nodes == {step.id for step in steps.STEPS if step != left_out}


def test_every_part_of_the_code_that_a_step_names_has_a_digest():
    assert {step.code for step in steps.STEPS if step.code} <= code_digests().keys()


def test_the_registry_is_imported_without_anything_heavy():
    code = "import sys; import pipeline.steps; print({'numpy', 'pydantic', 'rich', 'tensorflow'} & sys.modules.keys())"
    answer = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
