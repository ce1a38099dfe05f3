"""The documents for readers: both READMEs say the same, and every document names only what is there and shows only what is said."""

import contextlib
import re
import shlex
import sys
from pathlib import Path

import pytest

from pipeline import cli, config
from trainer.errors import ConfigError

CHECKOUT = Path(__file__).resolve().parent.parent
ENGLISH, JAPANESE = "README.md", "README.ja.md"
DOCUMENTS = sorted(path.relative_to(CHECKOUT).as_posix() for path in [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md")])
CODE_BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:(?<![\w./~-])|(?<=\.venv/bin/))tapeline ((?:config|schema|kubeflow|release) [a-z]+|[a-z]+)([^|>\n]*)")


def test_both_readmes_have_the_same_code_blocks():
    blocks = CODE_BLOCK.findall(text_of(ENGLISH))
    assert len(blocks) > 5
    assert CODE_BLOCK.findall(text_of(JAPANESE)) == blocks


def test_both_readmes_have_the_same_sections_with_the_same_tables_and_links():
    assert [shape(section) for section in sections(JAPANESE)] == [shape(section) for section in sections(ENGLISH)]


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
        with contextlib.suppress(SystemExit):
            cli.main([*command.split(), "--help"])
        known = capsys.readouterr().out
        flags = [flag for flag in re.findall(r"(?<=\s)--[a-z_-]+", rest) if flag not in known]
        unknown += [f"{command} {flag}" for flag in flags] if known else [command]
    assert unknown == []


@pytest.mark.parametrize("name", [ENGLISH, JAPANESE, "docs/configuration.md", "docs/operations.md"])
def test_every_flag_that_stands_alone_belongs_to_some_command(name, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tapeline"])  # `serve` sets it
    for command in (
        "run",
        "compile",
        "kubeflow emulate",
        "kubeflow submit",
        "kubeflow schedule",
        "kubeflow status",
        "release promote",
        "serve",
        "predict",
        "loadtest",
    ):
        with contextlib.suppress(SystemExit):
            cli.main([*command.split(), "--help"])
    known = capsys.readouterr().out
    flags = {flag for code in re.findall(r"`(--[^`\n]+)`", prose_of(name)) for flag in re.findall(r"--[a-z_-]+", code)}
    assert sorted(flag for flag in flags if flag not in known) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_configuration_error_that_is_shown_is_what_is_said(name, monkeypatch):
    monkeypatch.chdir(CHECKOUT)
    for command, shown in re.findall(r"^\$ tapeline (?:run|config check) (.+)\n(configs/.+)$", text_of(name), re.MULTILINE):
        file, _, override = shlex.split(command)
        with pytest.raises(ConfigError) as said:
            config.load(file, [override])
        assert str(said.value) == shown


def text_of(name: str) -> str:
    return (CHECKOUT / name).read_text(encoding="utf-8")


def prose_of(name: str) -> str:
    return CODE_BLOCK.sub("", text_of(name))


def code_of(name: str) -> str:
    """Code blocks, and what stands in backticks."""
    return "\n".join(CODE_BLOCK.findall(text_of(name)) + re.findall(r"`([^`\n]+)`", prose_of(name)))


def sections(name: str) -> list[str]:
    return re.split(r"^(?=#+ )", prose_of(name), flags=re.MULTILINE)


def shape(section: str) -> tuple[str, int, set[str]]:
    """The heading's level, the number of table rows, the links; a translation counts as its original."""
    links = {link.replace(".ja.md", ".md") for link in links_in(section)}
    return section.split(" ")[0], section.count("\n|"), links - {ENGLISH}


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
