"""Flags of tensorflow_model_server that a command line may bring and that have no effect here: they are taken, and said.

Imports nothing slow.
"""

import argparse
from collections.abc import Iterator

_ONE_LOOP = "both ports answer in one event loop"
_ONE_THREAD = "a request runs in one thread, its operations in those of --tensorflow_intra_op_parallelism"
_NO_LITE = "TensorFlow Lite models are not served, their SavedModels are"
# What holds here instead.
_IDLE = {
    "rest_api_num_threads": _ONE_LOOP,
    "rest_api_enable_cors_support": "pages of other origins may not read answers",
    "num_load_threads": "versions are loaded one after the other",
    "num_unload_threads": "versions are unloaded one after the other",
    "flush_filesystem_caches": "nothing is flushed after a load",
    "tensorflow_inter_op_parallelism": _ONE_THREAD,
    "tensorflow_session_config_file": _ONE_THREAD,
    "thread_pool_factory_config_file": _ONE_THREAD,
    "platform_config_file": "batching is set up by --batching_parameters_file, the rest by flags",
    "per_process_gpu_memory_fraction": "a GPU's memory is taken as TensorFlow takes it",
    "mixed_precision": "models run in the precision that they were saved in",
    "xla_cpu_compilation_enabled": "models run as they were saved",
    "skip_initialize_tpu": "there is no TPU",
    "enable_profiler": "there is no ProfilerService",
    "enable_grpc_healthcheck_service": "grpc.health.v1 is always there",
    "enable_signature_method_name_check": "a signature's names decide what it can be asked",
    "enable_serialization_as_tensor_content": "replies have typed fields, which every client reads",
    "enforce_session_run_timeout": "a request that takes too long is answered, its run goes on",
    "remove_unused_fields_from_bundle_metagraph": "no more of a model is kept than is used",
    "prefer_tflite_model": _NO_LITE,
    "num_tflite_pools": _NO_LITE,
    "num_tflite_interpreters_per_pool": _NO_LITE,
}


def add_idle_flags(parser: argparse.ArgumentParser) -> None:
    """Whatever their values; `--help` does not list them."""
    for name in _IDLE:
        parser.add_argument(f"--{name}", nargs="?", const="true", help=argparse.SUPPRESS)


def idle_notes(flags: argparse.Namespace) -> Iterator[str]:
    """One line for each of them that was given."""
    for name, instead in _IDLE.items():
        if getattr(flags, name) is not None:
            yield f"--{name} has no effect here: {instead}"
