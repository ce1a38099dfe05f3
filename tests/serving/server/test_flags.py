"""A command line of tensorflow_model_server is taken as it is; what has no effect here is said."""

import re
from pathlib import Path

import pytest

from serving.server.flags import parse_flags
from serving.server.idle_flags import idle_notes
from serving.server.ports import GrpcLimits

# Of tensorflow_model_server 2.16 to 2.20 (tensorflow_serving/model_servers/main.cc), with values as people write them.
REAL = """
    --port=8500 --grpc_socket_path=/tmp/serving.sock --rest_api_port=8501 --rest_api_num_threads=8 --rest_api_timeout_in_ms=30000
    --rest_api_enable_cors_support=false --enable_batching=true --allow_version_labels_for_unavailable_models=true
    --force_allow_any_version_labels_for_unavailable_models=false --batching_parameters_file=batching.config
    --model_config_file=models.config --model_config_file_poll_wait_seconds=5 --model_name=digits --model_base_path=/models/digits
    --num_load_threads=2 --num_unload_threads=1 --max_num_load_retries=5 --load_retry_interval_micros=60000000
    --file_system_poll_wait_seconds=1 --flush_filesystem_caches=false --tensorflow_session_parallelism=2
    --tensorflow_session_config_file=session.config --tensorflow_intra_op_parallelism=2 --tensorflow_inter_op_parallelism=2
    --use_alts_credentials=false --ssl_config_file=ssl.config --platform_config_file= --per_process_gpu_memory_fraction=0.5
    --saved_model_tags=serve --grpc_channel_arguments=grpc.max_connection_age_ms=2000,grpc.lb_policy_name=round_robin
    --grpc_max_threads=16 --enable_model_warmup=true --num_request_iterations_for_warmup=3 --version
    --monitoring_config_file=monitoring.config --remove_unused_fields_from_bundle_metagraph=true --prefer_tflite_model=false
    --num_tflite_pools=1 --num_tflite_interpreters_per_pool=1 --enable_signature_method_name_check=false
    --xla_cpu_compilation_enabled --enable_profiler=true --thread_pool_factory_config_file= --mixed_precision=bfloat16
    --skip_initialize_tpu=false --enable_grpc_healthcheck_service=true --enable_serialization_as_tensor_content=false
    --enforce_session_run_timeout=false
"""
NAMED = Path(__file__).parents[3] / "docs" / "serving.md"


def test_every_flag_of_the_real_server_is_taken():
    flags = parse_flags([flag for flag in REAL.split() if flag != "--version"])
    assert (flags.port, flags.rest_api_port, flags.rest_api_timeout_in_ms) == (8500, 8501, 30_000)
    assert (flags.saved_model_tags, flags.num_request_iterations_for_warmup) == (("serve",), 3)
    assert flags.grpc_channel_arguments == {"grpc.max_connection_age_ms": 2000, "grpc.lb_policy_name": "round_robin"}


def test_version_prints_it_and_ends(capsys):
    with pytest.raises(SystemExit) as end:
        parse_flags(["--version"])
    assert end.value.code == 0
    assert re.fullmatch(r"tapeline \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


def test_a_flag_without_effect_is_said_once_and_only_where_it_is_given():
    assert list(idle_notes(parse_flags(["--model_base_path=x"]))) == []
    given = ["--rest_api_num_threads=8", "--flush_filesystem_caches=false", "--xla_cpu_compilation_enabled"]
    assert list(idle_notes(parse_flags(["--model_base_path=x", *given]))) == [
        "--rest_api_num_threads has no effect here: both ports answer in one event loop",
        "--flush_filesystem_caches has no effect here: nothing is flushed after a load",
        "--xla_cpu_compilation_enabled has no effect here: models run as they were saved",
    ]


def test_the_page_names_every_flag_without_effect():
    given = [flag for flag in REAL.split() if flag != "--version"]
    silent = {note.split()[0] for note in idle_notes(parse_flags(given))}
    listed = NAMED.read_text().partition("These have no effect here.")[2].partition("\n## ")[0]
    assert set(re.findall(r"`(--\w+)`", listed)) == silent


@pytest.mark.parametrize(("text", "port"), [("0", None), ("auto", 0), ("8500", 8500)])
def test_zero_is_no_port_and_auto_is_any(text, port):
    assert parse_flags(["--model_base_path=x", f"--rest_api_port={text}"]).rest_api_port == port
    assert parse_flags(["--model_base_path=x", "--rest_api_port=1", f"--port={text}"]).port == port


def test_zero_for_both_is_any_because_a_server_without_a_port_could_not_be_asked():
    flags = parse_flags(["--model_base_path=x", "--port=0", "--rest_api_port=0"])
    assert (flags.port, flags.rest_api_port) == (0, 0)


def test_a_socket_alone_is_enough():
    flags = parse_flags(["--model_base_path=x", "--port=0", "--rest_api_port=0", "--grpc_socket_path=a"])
    assert (flags.grpc_socket_path, flags.port, flags.rest_api_port) == ("a", None, None)


def test_the_operators_arguments_come_before_the_servers_own():
    options = dict(GrpcLimits(arguments={"grpc.max_concurrent_streams": 7, "grpc.max_connection_age_ms": 2000}).options())
    assert (options["grpc.max_concurrent_streams"], options["grpc.max_connection_age_ms"], options["grpc.so_reuseport"]) == (7, 2000, 0)
