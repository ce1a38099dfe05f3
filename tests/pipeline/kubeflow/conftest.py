"""Compiled packages to look at and to change."""

import copy

import pytest
import yaml

from pipeline import cli, config
from pipeline.kubeflow import compile as compiler
from tests.pipeline.kubeflow.kfp_script import EVALUATOR_LOG, PUSHER_LOG
from tests.pipeline.kubeflow.kfp_server import KfpServer

CODE = {name: f"digest-of-{name}" for name in ("ingestion", "preprocessing", "teacher", "training", "gate", "evaluation", "push", "step")}


@pytest.fixture(scope="session")
def compile_config():
    """compile_config("configs/digits.yaml", "trainer.epochs=3") -> documents; digests of the code are constants."""

    def compile_(path, *overrides):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(compiler, "code_digests", lambda: CODE)
            return compiler.compile_package(config.load(path, overrides))

    return compile_


@pytest.fixture(scope="session")
def _digits(compile_config):
    return compile_config("configs/digits.yaml")


@pytest.fixture
def digits(_digits):
    """The documents of the digits package, free to be changed."""
    return copy.deepcopy(_digits)


@pytest.fixture
def text_of():
    """Documents as YAML."""
    return lambda documents: yaml.safe_dump_all(documents)


@pytest.fixture
def server(monkeypatch):
    """A Kubeflow Pipelines that the commands find by themselves, with the logs of a run that passes the gate."""
    server = KfpServer()
    server.logs = {"Evaluator": EVALUATOR_LOG, "Pusher": PUSHER_LOG}
    monkeypatch.setenv("TAPELINE_KFP_HOST", server.url)
    monkeypatch.delenv("KF_PIPELINES_SA_TOKEN_PATH", raising=False)
    yield server
    server.close()


@pytest.fixture
def kubeflow(server, tmp_path, capsys):
    """kubeflow("schedule", PACKAGE, "--option") -> (exit status, stdout, stderr); a package's text becomes its file."""

    def kubeflow_(command, *arguments):
        file = tmp_path / "pipeline.yaml"
        named = []
        for argument in arguments:
            if "pipelineInfo" in argument:
                file.write_text(argument)
            named.append(str(file) if "pipelineInfo" in argument else argument)
        status = cli.main(["kubeflow", command, *named])
        return status, *capsys.readouterr()

    return kubeflow_
