"""A root that was moved or copied has everything it had: models, cache and the baseline are found in it, and nowhere else."""

import shutil

FAST = ("--set", "trainer.epochs=3", "--set", "evaluator.min_accuracy=0.3")


def test_a_moved_root_is_answered_from_its_own_cache_and_a_copy_uses_its_own_baseline(place, digits_yaml):
    here = place("moved")
    assert here.run(digits_yaml, *FAST).status == 0
    old = here.root
    here.root = old.rename(here.folder / "renamed")
    moved = here.run(digits_yaml, *FAST)
    assert (moved.status, moved.executed) == (0, [])
    assert moved.record["model_dir"].startswith(str(here.root))

    shutil.copytree(here.root, old)
    shutil.rmtree(here.root / "artifacts" / "Trainer")
    here.root = old
    copy = here.run(digits_yaml, *FAST, "--set", "trainer.epochs=4")
    assert copy.status == 0
    assert [note for note in copy.record["notes"] if note.startswith("the new model was compared with artifacts/Trainer/model/")]


def test_another_number_of_classes_after_a_blessing_is_measured_and_the_baseline_left_out(place, digits_yaml):
    here = place("classes")
    assert here.run(digits_yaml, *FAST).status == 0
    more = here.run(digits_yaml, *FAST, "--set", "trainer.classes=11")
    assert more.status == 0
    [note] = [note for note in more.record["notes"] if "baseline" in note]
    assert "left out: it answers float32 for 10 classes, and the new model float32 for 11 classes" in note
