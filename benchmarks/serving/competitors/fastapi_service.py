"""A service by hand: JSON in, the model, JSON out."""

import numpy as np
from fastapi import FastAPI
from pydantic import BaseModel
from saved_model import SavedModel

app = FastAPI()
model = SavedModel()


class Request(BaseModel):
    """Images as nested lists, (N, 28, 28, 1)."""

    instances: list[list[list[list[int]]]]


class Prediction(BaseModel):
    """Of one image."""

    classes: int
    probabilities: list[float]


class Response(BaseModel):
    """One prediction an image."""

    predictions: list[Prediction]


@app.get("/ready")
def ready() -> bool:
    """Answers once the model is loaded."""
    return True


@app.post("/predict")
async def predict(request: Request) -> Response:
    """`async`, although it takes the processor: one model has nothing to wait for, and FastAPI's thread pool was slower."""
    classes, probabilities = model(np.array(request.instances, np.uint8))
    rows = zip(classes.tolist(), probabilities.tolist(), strict=True)
    return Response(predictions=[Prediction(classes=each, probabilities=row) for each, row in rows])
