"""The generated tables: equal calls give equal files, of as many rows as were asked for."""

from benchmarks import generated_table


def test_equal_calls_give_equal_files_and_the_rows_of_a_block_do_not_repeat_in_the_next(tmp_path):
    first, second = (generated_table.write_csv(tmp_path / name, 50_010) for name in ("a.csv", "b.csv"))
    assert first.read_bytes() == second.read_bytes()
    header, *lines = first.read_text().splitlines()
    assert header.split(",") == [*generated_table.NUMBERS, *generated_table.CATEGORIES, generated_table.TEXT, generated_table.LABEL]
    assert len(lines) == 50_010
    assert lines[50_000:] != lines[:10]


def test_the_label_has_both_values(tmp_path):
    lines = generated_table.write_csv(tmp_path / "x.csv", 50).read_text().splitlines()[1:]
    assert {line.rpartition(",")[2] for line in lines} == {"yes", "no"}
