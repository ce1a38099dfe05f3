"""Sends requests when they are due, all from one event loop, and notes when each was answered and with what code."""

import argparse
import asyncio
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import grpc
import numpy as np

from serving import prediction_pb2 as pb
from serving.channel import Retries, channel_options
from serving.client import Client
from serving.errors import FailedPreconditionError
from serving.loadtest.schedule import due_times
from serving.predict_inputs import read_image
from serving.signatures import Signature
from serving.tensors import STRING, numpy_dtype, strings, write_tensor

_IMAGE_SIDE = 28
_TELL_EVERY = 0.2  # seconds
_METHOD = "/tensorflow.serving.PredictionService/Predict"


@dataclass(frozen=True)
class Result:
    """Of every request: when it was due and when it was sent (seconds from the start), how long it took from then on, and its code."""

    due: np.ndarray
    sent: np.ndarray
    latencies: np.ndarray
    codes: list[str]
    seconds: float
    title: str
    rate: float


def run(flags: argparse.Namespace, tell: Callable[[int, int], None]) -> Result:
    """Tries one request, then sends by schedule. Raises the ServingError of the try."""
    with Client(flags.server, model_name=flags.model_name, deadline=flags.deadline) as client:
        signature = _signature(client, flags.signature_name)
        inputs = make_inputs(signature, flags.batch_size, read_image(flags.input) if flags.input else None)
        _, version = client.predict_with_version(inputs, signature.name)
    request = pb.PredictRequest(model_spec=pb.ModelSpec(name=flags.model_name, signature_name=signature.name))
    for name, array in inputs.items():
        write_tensor(array, request.inputs[name], typed=False)
    warm = due_times(flags.rate, flags.warmup, flags.arrivals, flags.seed) - flags.warmup
    due = np.concatenate([warm, due_times(flags.rate, flags.duration, flags.arrivals, flags.seed + 1)])
    title = f"{flags.model_name} version {version}, {signature.name}, {flags.batch_size} row{'s' if flags.batch_size > 1 else ''} a request"
    sent, latencies, codes, seconds = asyncio.run(_send(flags, request.SerializeToString(), due, tell))
    counts = due >= 0
    codes = [code for code, counted in zip(codes, counts, strict=True) if counted]
    return Result(due[counts], sent[counts], latencies[counts], codes, seconds, title, flags.rate)


def make_inputs(signature: Signature, rows: int, image: bytes | None) -> dict[str, np.ndarray]:
    """Inputs that the signature needs: zeros of its dtypes and shapes (unknown sizes are 28), a grey image for strings."""
    inputs = {}
    for spec in signature.required:
        if spec.dtype == STRING:
            inputs[spec.name] = strings([image if image is not None else grey_png(_IMAGE_SIDE)] * rows)
        else:
            shape = (None,) if spec.shape is None else spec.shape
            inner = [_IMAGE_SIDE if size is None else size for size in shape[1:]]
            inputs[spec.name] = np.zeros([rows, *inner] if shape else [], numpy_dtype(spec.dtype))
    return inputs


def grey_png(side: int) -> bytes:
    """A grey PNG, without an imaging library."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    pixels = (b"\0" + b"\x80" * side) * side
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def _signature(client: Client, name: str) -> Signature:
    if name:
        return client.signature(name)
    signatures = client.signatures()
    for known in ("predict_image", "serving_default"):
        if known in signatures:
            return signatures[known]
    raise FailedPreconditionError(f"Expected --signature_name: one of {', '.join(sorted(signatures))}.")


async def _send(
    flags: argparse.Namespace, request: bytes, due: np.ndarray, tell: Callable[[int, int], None]
) -> tuple[np.ndarray, np.ndarray, list[str], float]:
    sent, latencies, codes = np.zeros(len(due)), np.zeros(len(due)), [""] * len(due)
    async with grpc.aio.insecure_channel(flags.server, channel_options(flags.server, Retries(attempts=1))) as channel:
        call = channel.unary_unary(_METHOD)
        await call(request, timeout=flags.deadline)
        start = time.perf_counter() + flags.warmup + 0.05
        done = 0

        async def send(number: int) -> None:
            nonlocal done
            sent[number] = time.perf_counter() - start
            try:
                await call(request, timeout=flags.deadline)
                codes[number] = "OK"
            except grpc.RpcError as error:
                codes[number] = error.code().name
            latencies[number] = time.perf_counter() - start - due[number]
            done += 1

        tasks, told = [], 0.0
        for number, moment in enumerate(due):
            wait = start + moment - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            tasks.append(asyncio.ensure_future(send(number)))
            if time.perf_counter() - told > _TELL_EVERY:
                told = time.perf_counter()
                tell(done, len(due))
        await asyncio.gather(*tasks)
        tell(len(due), len(due))
        return sent, latencies, codes, time.perf_counter() - start
