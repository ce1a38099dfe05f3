"""What can be set of Kubeflow Pipelines: the `kubeflow` section of a config file."""

from typing import Annotated

import pydantic
from pydantic import Field

from components.place import Place
from pipeline import steps
from trainer.settings import Settings

PLACEHOLDER = "gs://my-project-tapeline"  # a bucket that is nobody's; what begins with it has still to be set
Uri = Annotated[Place, Field(min_length=1)]


class ResourcesConfig(Settings):
    """What a step's pod asks for, and may not exceed."""

    cpu: float = Field(1.0, gt=0.0, le=512.0, description="Cores.")
    memory: float = Field(4.0, gt=0.0, le=12_288.0, description="Memory in GB (10^9 bytes).")


StepsConfig = pydantic.create_model(
    "StepsConfig",
    __base__=Settings,
    __module__=__name__,
    __doc__="The resources of each step.",
    **{
        step.id: (ResourcesConfig, Field(ResourcesConfig(cpu=step.cpu, memory=step.memory), description=step.about))
        for step in steps.STEPS
        if not step.stands_for
    },
)


class KubeflowConfig(Settings):
    """How the pipeline runs on Kubeflow Pipelines. What is a parameter of the package can be changed at each submission."""

    image: str = Field(
        "tapeline:0.1.0",
        pattern=r"^[^\s@]+(:[\w][\w.-]{0,127}|@sha256:[0-9a-f]{64})$",
        description="The pipeline's image, with its tag or digest.",
    )
    gpu_image: str | None = Field(None, description="The image that trains on GPUs; `image` with `-gpu` after its tag if not given.")
    tpu_image: str | None = Field(None, description="The image that trains on TPUs; `image` with `-tpu` after its tag if not given.")
    pipeline_root: Uri = Field(f"{PLACEHOLDER}/pipeline-root", description="Where the runs' artifacts go (parameter `pipeline_root`).")
    serving_base_path: Uri = Field(
        f"{PLACEHOLDER}/serving", description="Folder that gets `<name>/<version>/` (parameter `serving_base_path`)."
    )
    data_path: Place | None = Field(
        None, description="Folder of the raw files as the cluster sees it (parameter `data_path`); `data.path` if not given."
    )
    cache_ingestion: bool = Field(
        False,
        description="Let KFP answer ingestion from its cache while the parameter `data_fingerprint` stays the same. Then every run must "
        "come from `tapeline kubeflow submit`, which computes the fingerprint; a run started elsewhere would not see changed files.",
    )
    resources: StepsConfig = Field(StepsConfig(), description="CPU and memory by step.")

    def image_for(self, kind: str) -> str:
        """The image of a step that runs on `cpu`, `gpu` or `tpu`."""
        if kind == "cpu":
            return self.image
        given = self.gpu_image if kind == "gpu" else self.tpu_image
        return given or f"{self.image.partition('@')[0]}-{kind}"
