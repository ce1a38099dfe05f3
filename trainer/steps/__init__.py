"""The steps, one a file: what one training step does with a batch. The GradientTape loop runs any, `model.fit` the standard one."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from trainer.reference import Reference, check_near_reference, is_reference
from trainer.steps.adversarial import Adversarial
from trainer.steps.distill import Distill
from trainer.steps.gan import Gan
from trainer.steps.gradient_penalty import GradientPenalty
from trainer.steps.maml import Maml
from trainer.steps.mixup import Mixup
from trainer.steps.own import Own
from trainer.steps.reinforce import Reinforce
from trainer.steps.sam import Sam
from trainer.steps.standard import Standard
from trainer.steps.step import Outcome, Step
from trainer.steps.virtual_adversarial import VirtualAdversarial

__all__ = [
    "STEPS",
    "Adversarial",
    "Distill",
    "Gan",
    "GradientPenalty",
    "Maml",
    "Mixup",
    "Outcome",
    "Own",
    "Reinforce",
    "Sam",
    "Standard",
    "Step",
    "StepSetting",
    "VirtualAdversarial",
]


def _in_full(given: Any) -> Any:
    """`sam` is short for `{kind: sam}`, and a reference for `{kind: own}` with it."""
    if is_reference(given):
        return {"kind": "own", "function": given}
    check_near_reference(given)
    return {"kind": given} if isinstance(given, str) else given


_NAMED = Standard | Sam | GradientPenalty | Adversarial | VirtualAdversarial | Mixup | Distill | Reinforce | Maml | Gan
STEPS = tuple(kind.model_fields["kind"].default for kind in get_args(_NAMED))  # their names
_InFull = Annotated[_NAMED | Own, Field(discriminator="kind")]
_Short = Literal[
    "standard", "sam", "gradient_penalty", "adversarial", "virtual_adversarial", "mixup", "distill", "reinforce", "maml", "gan"
]  # for the JSON Schema: what `_in_full` takes
StepSetting = Annotated[_InFull, BeforeValidator(_in_full, json_schema_input_type=_Short | Reference | _InFull)]
