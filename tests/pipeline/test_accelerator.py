"""What the Trainer can be asked to run on, and what is refused with the nearest name."""

import pytest

from trainer.errors import ConfigError


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("gpus", "accelerator: Expected `cpu`, `{gpu: {type, count}}` or `{tpu: {type, topology}}`. Received: 'gpus'. Did you mean 'gpu'?"),
        (3, "accelerator: Expected `cpu`, `{gpu: {type, count}}` or `{tpu: {type, topology}}`. Received: 3."),
        ({"gpu": {"type": "nvidia-l5"}}, "Received: 'nvidia-l5'. Did you mean 'nvidia-l4'?"),
        ({"tpu": {"type": "tpu-v6e-slices", "topology": "2x2"}}, "Received: 'tpu-v6e-slices'. Did you mean 'tpu-v6e-slice'?"),
        (
            {"tpu": {"type": "tpu-v6e-slice", "topology": "4x4"}},
            "accelerator.tpu.topology: Expected one of 1x1, 2x2, 2x4, the slices of tpu-v6e-slice that are one machine. Received: '4x4'.",
        ),
        (
            {"gpu": {"type": "nvidia-l4"}, "tpu": {"type": "tpu-v6e-slice", "topology": "2x2"}},
            "accelerator: Expected one of `gpu` and `tpu`. Received: both.",
        ),
    ],
)
def test_what_gke_does_not_have_on_one_machine_is_refused_with_the_nearest(settings, given, said):
    with pytest.raises(ConfigError) as refused:
        settings(accelerator=given)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
