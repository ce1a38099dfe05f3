"""The package `tapeline`: what Beam's workers and the image install. `make` installs it beside the locked packages, without dependencies.

The dependencies here are loose on purpose: the lock files (requirements-tfx-*.lock) say which versions were tried together.
"""

from setuptools import setup

CLIENT = ["grpcio>=1.60", "numpy>=1.26", "protobuf>=4.25", "rich"]  # the last is for what `tapeline predict` prints
PIPELINE = [
    "apache-beam>=2.72",
    "google-cloud-storage>=2.19",
    "google-crc32c",
    "keras>=3.15",
    "numpy>=1.26",
    "orjson>=3.9",
    "pillow",
    "pooch",
    "psutil",
    "pydantic>=2.7",
    "pyyaml",
    "rich",
    "ruamel.yaml",
    "scikit-learn",
    "tensorboard>=2.16",
    "tensorflow>=2.16",
    "tensorflow-data-validation>=1.16",
    "tensorflow-model-analysis>=0.47",
    "tensorflow-transform>=1.16",
    "tfx>=1.16",
    "tfx-bsl>=1.16",
]
SERVER = [
    *CLIENT,
    "aiohttp>=3.9",
    "grpcio-health-checking>=1.60",
    "grpcio-reflection>=1.60",
    "tensorflow>=2.16",
    "tensorflow-serving-api>=2.16",
]
KUBEFLOW = ["common-expression-language>=0.5", "kfp>=2.6", "kubernetes>=26"]


def on_the_one_python(requirements: list[str]) -> list[str]:
    """Only where both TFX stacks come with kfp (docs/adr/0001); elsewhere the command says so, and the client still installs."""
    return [f'{requirement}; python_version == "3.11"' for requirement in sorted(set(requirements))]


setup(
    name="tapeline",
    version="0.1.0",  # the one place: everything else asks importlib.metadata
    description="Labelled data in; a validated, gated, versioned TensorFlow Serving model out.",
    license="Apache-2.0",
    python_requires=">=3.10",  # what the client runs on; the other extras have a bound of their own
    py_modules=["tapeline"],
    packages=[
        "components",
        "components.batch_predict",
        "components.example_gen",
        "components.example_gen.readers",
        "pipeline",
        "pipeline.init",
        "pipeline.kubeflow",
        "pipeline.new",
        "pipeline.release",
        "pipeline.runs",
        "pipeline.tune",
        "serving",
        "serving.loadtest",
        "serving.server",
        "trainer",
        "trainer.export",
        "trainer.features",
        "trainer.models",
        "trainer.steps",
        "trainer.tasks",
    ],
    package_data={"components": ["*.yaml"], "trainer.export": ["javascript/*.js", "javascript/*.json"]},
    install_requires=[],  # a client must not pull in TensorFlow: pick an extra
    extras_require={
        "client": CLIENT,
        "server": on_the_one_python(SERVER),
        "pipeline": on_the_one_python([*PIPELINE, *SERVER]),
        "kubeflow": on_the_one_python(KUBEFLOW),
    },
    entry_points={"console_scripts": ["tapeline = tapeline:console"]},
)
