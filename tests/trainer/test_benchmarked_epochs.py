"""`benchmarks.epochs` still hands the loops what they ask for: it calls them as TFX does, and is run by hand alone."""

from pathlib import Path

import pytest

from benchmarks import epochs


@pytest.mark.parametrize("loop", ["fit", "gradient_tape"])
def test_a_loop_trains_out_of_a_runs_artifacts_and_each_epoch_has_its_speed(scaled, tmp_path, monkeypatch, loop):
    monkeypatch.setenv("TAPELINE_PROGRESS", "")  # which it sets, and is as before afterwards
    transform = tmp_path / "artifacts/Transform"
    for name, place in (("transform_graph", scaled.graph_path), ("transformed_examples", f"{scaled.graph_path}/examples")):
        (transform / name).mkdir(parents=True)
        (transform / name / "1").symlink_to(Path(place).resolve())
    speeds = epochs.run(tmp_path, loop, 2, {"model": "mlp"})
    assert len(speeds) == 2
    assert min(speeds) > 0
