"""Which nodes the pipeline has, and what they are told."""

import json

import apache_beam as beam
import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline import dag, steps
from pipeline.code_digest import code_digests
from pipeline.runs.beam_args import IN_MEMORY
from trainer.start import Start


@pytest.mark.parametrize(("drop", "has_baseline"), [(None, False), (0.05, True)])
def test_a_baseline_is_looked_for_only_where_a_bound_needs_one(settings, drop, has_baseline):
    inputs = dag.Inputs("FINGERPRINT", None, "/serving/digits", code_digests())
    pipeline = dag.create_pipeline(settings(evaluator={"max_accuracy_drop": drop}), inputs, "root", None, [])
    assert (steps.BASELINE.id in [node.id for node in pipeline.components]) is has_baseline


@pytest.mark.parametrize(("step", "has_teacher"), [("standard", False), ("distill", True)])
def test_a_teacher_is_looked_for_only_where_the_step_learns_from_one(settings, step, has_teacher):
    inputs = dag.Inputs("FINGERPRINT", None, "/serving/digits", code_digests(), teacher="DIGEST")
    nodes = {
        node.id: node
        for node in dag.create_pipeline(settings(trainer={"loop": "gradient_tape", "step": step}), inputs, "root", None, []).components
    }
    assert (steps.TEACHER.id in nodes) is ("base_model" in nodes[steps.TRAINER.id].inputs) is has_teacher
    if has_teacher:  # an edited one is another value, and so no answer from the cache
        assert nodes[steps.TEACHER.id].exec_properties == {"teacher": "", "serving_path": "/serving/digits", "fingerprint": "DIGEST"}


def test_the_weights_to_start_from_are_in_the_settings_of_whoever_trains(settings):
    searching = settings(tuner={"trials": 3, "search": {"trainer.dropout": [0.1, 0.2]}}, trainer={"start_from": "last"})
    start = Start(place="/serving/digits/7", digest="DIGEST")
    inputs = dag.Inputs("FINGERPRINT", None, "/serving/digits", code_digests(), start=start)
    nodes = {node.id: node for node in dag.create_pipeline(searching, inputs, "root", None, []).components}
    for step in (steps.TRAINER, steps.TUNER):  # another content is another value, and so no answer from the cache
        assert json.loads(nodes[step.id].exec_properties["custom_config"])["start"] == start.to_json()


def test_a_search_feeds_the_trainer_and_is_told_what_to_search(settings):
    inputs = dag.Inputs("FINGERPRINT", None, "/serving/digits", code_digests())
    searching = settings(tuner={"trials": 3, "search": {"trainer.dropout": [0.1, 0.2]}})
    nodes = {node.id: node for node in dag.create_pipeline(searching, inputs, "root", None, []).components}
    assert nodes[steps.TRAINER.id].inputs["hyperparameters"] is nodes[steps.TUNER.id].outputs["best_hyperparameters"]
    assert searching.tuner.to_json() in json.loads(nodes[steps.TUNER.id].exec_properties["custom_config"]).values()
    without = {node.id: node for node in dag.create_pipeline(settings(), inputs, "root", None, []).components}
    assert steps.TUNER.id not in without
    assert "hyperparameters" not in without[steps.TRAINER.id].inputs
    last = dag.create_pipeline(searching, inputs, "root", None, [], until=steps.TUNER.id).components[-1]
    assert last.id == steps.TUNER.id


def test_statistics_count_up_to_1024_values_exactly_and_estimate_shares_of_more(settings, tmp_path):
    inputs = dag.Inputs("FINGERPRINT", None, "/serving/digits", code_digests())
    [node] = [each for each in dag.create_pipeline(settings(), inputs, "root", None, []).components if each.id == "StatisticsGen"]
    options = tfdv.StatsOptions.from_json(node.exec_properties["stats_options_json"])
    rows = 20_000
    columns = {"few": [f"value {row % 1024}" for row in range(rows)], "all": [f"text {row}" for row in range(rows)]}
    columns["most"] = ["most" if row % 2 else f"text {row}" for row in range(rows)]
    batch = pa.RecordBatch.from_pydict({name: [[value] for value in values] for name, values in columns.items()})
    with beam.Pipeline(options=PipelineOptions(IN_MEMORY)) as pipeline:
        _ = (
            pipeline
            | beam.Create([batch.slice(start, 1000) for start in range(0, rows, 1000)], reshuffle=False)
            | tfdv.GenerateStatistics(options)
            | tfdv.WriteStatisticsToBinaryFile(str(tmp_path / "statistics"))
        )
    [described] = tfdv.load_stats_binary(str(tmp_path / "statistics")).datasets
    strings = {feature.path.step[0]: feature.string_stats for feature in described.features}
    counts = {name: {each.label: each.sample_count for each in found.rank_histogram.buckets} for name, found in strings.items()}
    assert strings["few"].unique == 1024
    assert set(counts["few"].values()) == {20, 19}  # 544 values 20 times
    assert sum(count == 20 for count in counts["few"].values()) == 544
    assert strings["all"].unique == pytest.approx(rows, rel=0.03)
    assert max(counts["all"].values()) > 1  # an exact count would keep every text in memory
    assert counts["most"]["most"] == pytest.approx(rows / 2, abs=rows / 1024)


def test_the_trainer_has_the_raw_examples_beside_the_transformed_ones(settings):
    inputs = dag.Inputs("FINGERPRINT", None, "/serving/digits", code_digests())
    pipeline = dag.create_pipeline(settings(), inputs, "root", None, [])
    [trainer] = [node for node in pipeline.components if node.id == steps.TRAINER.id]
    producers = {name: trainer.inputs[name].producer_component_id for name in ("examples", "raw_examples")}
    assert producers == {"examples": steps.TRANSFORM.id, "raw_examples": steps.INGESTION.id}
