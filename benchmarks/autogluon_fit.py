"""AutoGluon on a CSV, run by the interpreter of its own environment; needs nothing of this project.

`PYTHON autogluon_fit.py CSV LABEL FOLDER SECONDS` holds back a tenth of the rows, fits on the others for at most SECONDS and prints
{"accuracy": ...} of the rows held back.
"""

import json
import sys


def run(path: str, label: str, folder: str, seconds: int) -> float:
    """The accuracy on the last tenth of the rows."""
    import pandas as pd
    from autogluon.tabular import TabularPredictor

    table = pd.read_csv(path)
    train, test = table[: len(table) * 9 // 10], table[len(table) * 9 // 10 :]
    predictor = TabularPredictor(label=label, path=folder, verbosity=0).fit(train, time_limit=seconds)
    return float(predictor.evaluate(test, silent=True)["accuracy"])


if __name__ == "__main__":
    print(json.dumps({"accuracy": run(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))}))
