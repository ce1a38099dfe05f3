"""The package `tapeline`: what Beam's workers and the image install. `make` installs it beside the locked packages, without dependencies.

The dependencies here are loose on purpose: the lock files (requirements-tfx-*.lock) say which versions were tried together.
"""

from setuptools import setup

CLIENT = ["grpcio>=1.60", "numpy>=1.26", "protobuf>=4.25"]
PIPELINE = [
    "apache-beam>=2.72",
    "keras>=3.15",
    "numpy>=1.26",
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

setup(
    name="tapeline",
    version="0.1.0",  # the one place: everything else asks importlib.metadata
    description="Labelled data in; a validated, gated, versioned TensorFlow Serving model out.",
    license="Apache-2.0",
    python_requires=">=3.11,<3.12",  # the one Python on which both TFX stacks come with kfp (docs/adr/0001)
    py_modules=["tapeline"],
    packages=[
        "components",
        "components.example_gen",
        "pipeline",
        "pipeline.kubeflow",
        "pipeline.release",
        "pipeline.runners",
        "serving",
        "serving.loadtest",
        "serving.server",
        "trainer",
        "trainer.models",
    ],
    install_requires=[],  # a client must not pull in TensorFlow: pick an extra
    extras_require={
        "client": CLIENT,
        "server": SERVER,
        "pipeline": sorted({*PIPELINE, *SERVER}),
        "kubeflow": ["common-expression-language>=0.5", "kfp>=2.6", "kubernetes>=26"],
    },
    entry_points={"console_scripts": ["tapeline = tapeline:console"]},
)
