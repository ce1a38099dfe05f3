"""The entry point of every step: how a failure ends its log."""

import json
import subprocess
import sys


def test_the_last_line_of_a_failed_step_has_the_cause_below_its_traceback(tmp_path):
    folder = tmp_path / "outputs"
    call = {
        "inputs": {"parameterValues": {}, "artifacts": {}},
        "outputs": {"outputFile": str(folder / "output.json"), "artifacts": {}, "parameters": {}},
    }
    code = (
        "import sys\nfrom pipeline.kubeflow import step\n"
        "def fails(*_):\n"
        "    try: {}['x']\n"
        "    except KeyError as error: raise RuntimeError('add_input failed on \"y\" with inputs:\\n[1 2]') from error\n"
        "step._run = fails\nsys.exit(step.main(sys.argv[1:]))"
    )
    arguments = ["--executor_class_path", "none", "--json_serialized_invocation_args", json.dumps(call)]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1, "KeyError: 'x'")
    assert "Traceback" in done.stderr
