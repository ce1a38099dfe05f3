"""What was found is a short table on a terminal of 80 columns, whatever the data's own signs are."""

from rich.cells import cell_len


def test_each_column_has_a_row_with_what_was_found(write, init, some):
    lines = init(write(x=[*some()[:99], ""], same=["one"] * 100, color=some("red", "blue", "green"), y=some("a", "b"))).out.splitlines()
    assert lines[0].startswith("100 rows, 4 columns; UTF-8: only ASCII; commas between 4 columns; a header")
    assert lines[1].split() == ["column", "kind", "missing", "distinct", "examples", "why"]
    rows = {line.split()[0]: " ".join(line.split()[1:]) for line in lines[3:] if line and line[0] != " "}
    assert rows["x"].startswith("number 1 ")
    assert rows["x"].endswith(" numbers")
    assert rows["same"].startswith("- 0 1 one not used: always")
    assert rows["color"].startswith("category 0 3 ")
    assert rows["y"].startswith("label 0 2 ")


def test_japanese_names_and_values_keep_the_table_within_80_cells(write, init, some):
    names = ("交差点付近のとても長い道路の形状の名前", "発生日時\u3000\u3000分")
    columns = {name: some("交差点付近－その他の場所", "単路－その他", "踏切") for name in names}
    table = init(write(**columns, y=some("a", "b"))).out.split("\n\n")[0].splitlines()[1:]
    starts = {cell_len(line[: line.index("category")]) for line in table if "category" in line}
    assert len(starts) == 1
    assert max(map(cell_len, table)) <= 80
    assert any("発生日時\u3000\u3000分" in line for line in table)


def test_signs_that_move_a_terminals_cursor_are_not_printed(init, tmp_path, some):
    rows = "".join(f"{value},{label}\n" for value, label in zip(some(), some("\x1b[2Jred", "[/]"), strict=True))
    (tmp_path / "table.csv").write_text("x,y\n" + rows)
    result = init("table.csv")
    assert "\x1b" not in result.out + result.text
    assert "[/]" in result.out
    assert result.config.task.positive in ("\x1b[2Jred", "[/]")


def test_of_very_many_columns_the_first_are_shown(write, init, some):
    result = init(write(**{f"c{number}": some(1.5, 2.5) for number in range(130)}, y=some("a", "b")))
    assert "and 31 more columns, which are in the config" in result.out
    assert len(result.config.features) == 130
