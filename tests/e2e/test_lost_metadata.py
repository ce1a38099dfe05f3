"""A root whose metadata are lost: what its components wrote then is never among what they write now."""

SETTINGS = ("--set", "trainer.epochs=3", "--set", "evaluator.min_accuracy=0.2")


def test_without_its_metadata_a_root_runs_anew_and_the_gate_sees_no_old_row(place, write_digits_as_idx, rows_of_test_split):
    here = place("lost")
    config = here.folder / "idx.yaml"
    config.write_text("name: digits\ndata: {format: idx, path: raw}\n")
    write_digits_as_idx(here.folder / "raw", 600)
    assert here.run(config, *SETTINGS).status == 0
    for path in here.root.glob("metadata.sqlite*"):
        path.unlink()
    write_digits_as_idx(here.folder / "raw", 260)
    answer = here.run(config, *SETTINGS)
    assert (answer.status, answer.record["outcome"]) == (0, "pushed"), answer.stderr
    rows = {each["name"]: each["rows"] for each in answer.record["components"]}
    assert rows["ImageExampleGen"] == 260
    assert rows["Evaluator"] == len(rows_of_test_split(here)[1])
    for node in (path for path in (here.root / "artifacts").iterdir() if path.is_dir()):
        for outputs in node.iterdir():
            assert outputs.name == ".system" or len(list(outputs.iterdir())) == 1, outputs
