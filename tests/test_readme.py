"""The documents for readers: translations say the same, and every document names only what is there and shows only what is printed."""

import argparse
import contextlib
import re
import shlex
import sys
from pathlib import Path

import pytest

from pipeline import cli, config
from trainer.errors import ConfigError

CHECKOUT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    path.relative_to(CHECKOUT).as_posix()
    for path in [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md"), *(CHECKOUT / "k8s").rglob("*.md")]
)
JAPANESE = [name for name in DOCUMENTS if name.endswith(".ja.md")]
# Words of English origin end in a long vowel here: サーバー, フォルダー.
MISSPELT = (
    *("サーバ", "フォルダ", "クラスタ", "エディタ", "ユーザ", "パラメータ", "コンピュータ", "プロセッサ", "メモリー", "コンテナー"),
    *(
        "エミュレータ",
        "コンパイラ",
        "スケジューラ",
        "レイヤ",
        "ランチャ",
        "リゾルバ",
        "エグゼキュータ",
        "アクセラレータ",
        "ドライバ",
        "セレクタ",
    ),
)
CODE_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r" *# .*$", re.MULTILINE)
COMMAND = re.compile(
    r"(?:(?<![\w./~-])|(?<=\.venv/bin/))tapeline ((?:config|schema|kubeflow|release|new|show) [a-z]+|tune lr|[a-z]+)([^|>\n]*)"
)


@pytest.mark.parametrize(
    ("japanese", "least"),
    [
        ("README.ja.md", 6),
        ("docs/commands.ja.md", 2),
        ("docs/your-own-data.ja.md", 12),
        ("docs/your-own-code.ja.md", 3),
        ("docs/models.ja.md", 3),
        ("docs/export.ja.md", 6),
    ],
)
def test_a_translation_has_the_same_code_blocks(japanese, least):
    blocks = CODE_BLOCK.findall(text_of(original(japanese)))
    assert len(blocks) >= least
    assert CODE_BLOCK.findall(text_of(japanese)) == blocks


def test_the_translated_guide_has_the_same_code_blocks_apart_from_their_comments():
    guide = "docs/kubeflow-on-gke.ja.md"
    blocks = CODE_BLOCK.findall(COMMENT.sub("", text_of(original(guide))))
    assert len(blocks) > 5
    assert CODE_BLOCK.findall(COMMENT.sub("", text_of(guide))) == blocks


@pytest.mark.parametrize("japanese", JAPANESE)
def test_a_translation_has_the_same_sections_with_the_same_tables_and_links(japanese):
    assert [shape(section, japanese) for section in sections(japanese)] == [
        shape(section, japanese) for section in sections(original(japanese))
    ]


@pytest.mark.parametrize("name", [*JAPANESE, "docs/glossary.md"])
def test_a_japanese_word_has_one_spelling(name):
    assert re.findall(rf"(?<![ァ-ヶー])(?:{'|'.join(MISSPELT)})(?![ァ-ヶー])", text_of(name)) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_relative_link_leads_somewhere(name):
    links = [link for link in links_in(prose_of(name)) if "://" not in link]
    assert [link for link in links if not leads_somewhere(name, link)] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_make_target_that_is_named_exists(name):
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE))
    named = set(re.findall(r"(?<![\w-])make ([a-z][a-z-]*)\b", code_of(name)))
    assert named - targets == set()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_tapeline_command_and_flag_that_is_named_exists(name, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tapeline"])  # `serve` sets it
    unknown = []
    for command, rest in COMMAND.findall(code_of(name)):
        known = help_of(command, capsys)
        flags = [flag for flag in re.findall(r"(?<=\s)--[a-z_-]+", rest) if flag not in known]
        unknown += [f"{command} {flag}" for flag in flags] if known else [command]
    assert unknown == []


@pytest.mark.parametrize(
    "name", ["README.md", "docs/commands.md", *JAPANESE, "docs/configuration.md", "docs/your-own-data.md", "docs/operations.md"]
)
def test_every_flag_that_stands_alone_belongs_to_some_command(name, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tapeline"])  # `serve` sets it
    known = "".join(help_of(command, capsys) for command in ("", *commands(cli._parser())))
    flags = {flag for code in re.findall(r"`(--[^`\n]+)`", prose_of(name)) for flag in re.findall(r"--[a-z_-]+", code)}
    assert sorted(flag for flag in flags if flag not in known) == []


@pytest.mark.parametrize("name", ["docs/commands.md", "docs/commands.ja.md"])
def test_the_page_of_commands_names_every_command_with_its_flags(name, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tapeline"])  # `serve` sets it
    missing = []
    for command in commands(cli._parser()):
        section = next((section for section in sections(name) if f"| `tapeline {command}" in section), "")
        flags = set(re.findall(r"--[a-z_-]+", help_of(command, capsys))) - {"--help"}
        missing += [f"{command} {flag}" for flag in sorted(flags) if flag not in section] if section else [command]
    assert missing == []


def test_the_commands_are_those_that_the_tests_above_look_for():
    expected = ["init", "new step", "new model", "run", "tune lr", "tune", "compile"]
    expected += [f"kubeflow {command}" for command in ("emulate", "submit", "schedule", "status", "logs", "terminate")]
    expected += [f"release {command}" for command in ("status", "promote", "rollback")]
    expected += ["serve", "predict", "loadtest", "config check", "config show", "config schema"]
    expected += ["schema accept", "schema diff", "schema edit", "show model", "doctor"]
    assert commands(cli._parser()) == expected


def test_the_config_that_is_shown_whole_is_the_file():
    lines = [re.sub(r" *#.*", "", line) for line in text_of("configs/digits.yaml").splitlines()]
    assert "```yaml\n" + "\n".join(line for line in lines if line) + "\n```" in text_of("docs/configuration.md")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_configuration_error_that_is_shown_is_what_is_said(name, monkeypatch):
    monkeypatch.chdir(CHECKOUT)
    for command, shown in re.findall(r"^\$ tapeline (?:run|config check) (.+)\n(configs/.+)$", text_of(name), re.MULTILINE):
        file, _, override = shlex.split(command)
        with pytest.raises(ConfigError) as said:
            config.load(file, [override])
        assert str(said.value) == shown


def help_of(command: str, capsys) -> str:
    with contextlib.suppress(SystemExit):
        cli.main([*command.split(), "--help"])
    return capsys.readouterr().out


def commands(parser: argparse.ArgumentParser, prefix: str = "") -> list[str]:
    """`run`, `config check`, ...: every command that takes no further command."""
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        return [prefix.strip()]
    return [command for name, sub in groups[0].choices.items() for command in commands(sub, f"{prefix} {name}")]


def text_of(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def prose_of(name: str) -> str:
    return CODE_BLOCK.sub("", text_of(name))


def code_of(name: str) -> str:
    """Code blocks, and what stands in backticks."""
    return "\n".join(CODE_BLOCK.findall(text_of(name)) + re.findall(r"`([^`\n]+)`", prose_of(name)))


def sections(name: str) -> list[str]:
    return re.split(r"^(?=#+ )", prose_of(name), flags=re.MULTILINE)


def original(japanese: str) -> str:
    return japanese.replace(".ja.", ".")


def shape(section: str, page: str) -> tuple[str, int, set[str]]:
    """The heading's level, the number of table rows, the links; a translation counts as its original, in links to a heading too."""
    links = {re.sub(r"^#.*", "#", original(link)) for link in links_in(section)}
    return section.split(" ")[0], section.count("\n|"), links - {original(Path(page).name)}


def links_in(text: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", text)


def leads_somewhere(name: str, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (CHECKOUT / name).parent / path if path else CHECKOUT / name
    return target.exists() and (not anchor or anchor in anchors(str(target)))


def anchors(name: str) -> set[str]:
    """The headings' anchors, made as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose_of(name), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
