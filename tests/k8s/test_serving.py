"""What the Deployment starts is tensorflow_model_server as it is: its flags, files and ports, and probes that mean something."""

from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.server.batching_parameters import read_batching_parameters
from serving.server.flags import parse_flags
from serving.server.model_config import read_models
from serving.server.monitoring import read_monitoring_config
from tests.k8s.render import ports

# Of tensorflow_model_server 2.20 (tensorflow_serving/model_servers/main.cc), those that a pod may need.
_FLAGS = """
    port rest_api_port rest_api_num_threads rest_api_timeout_in_ms grpc_channel_arguments grpc_max_threads enable_batching
    allow_version_labels_for_unavailable_models batching_parameters_file model_config_file model_config_file_poll_wait_seconds
    num_load_threads num_unload_threads max_num_load_retries load_retry_interval_micros file_system_poll_wait_seconds
    flush_filesystem_caches tensorflow_intra_op_parallelism tensorflow_inter_op_parallelism ssl_config_file enable_model_warmup
    num_request_iterations_for_warmup monitoring_config_file
"""
FLAGS = set(_FLAGS.split())


def models(manifests):
    config = text_format.Parse(manifests.mounted(manifests.server_flags["model_config_file"]), ModelServerConfig())
    return read_models(config)


def probe(manifests, name):
    return manifests.server[f"{name}Probe"]


def seconds(probe):
    """How long it may fail before something is done about it."""
    return probe["periodSeconds"] * probe["failureThreshold"]


def test_every_flag_is_one_that_the_server_has(manifests):
    assert manifests.server["command"] == ["/usr/bin/tensorflow_model_server"]
    assert manifests.server_flags.keys() <= FLAGS
    assert len(manifests.server_flags) == len(manifests.server["args"]), "a flag is there twice"


def test_the_ports_are_those_of_the_projects_own_server(manifests):
    defaults = parse_flags(["--model_base_path", "models"])
    named = ports(manifests.serving["spec"]["template"])
    assert (named["grpc"], named["rest"]) == (defaults.port, defaults.rest_api_port)


def test_the_server_listens_where_its_container_says(manifests):
    own = {port["containerPort"] for port in manifests.server["ports"]}
    assert own == {int(manifests.server_flags["port"]), int(manifests.server_flags["rest_api_port"])}


def test_every_file_that_a_flag_names_is_mounted(manifests):
    files = [value for name, value in manifests.server_flags.items() if name.endswith("_file")]
    assert len(files) == 3
    assert all(manifests.mounted(path) for path in files)


def test_the_model_config_serves_a_model_before_the_first_release(manifests):
    (model,) = models(manifests).values()
    assert (model.policy.kind, model.policy.num_versions) == ("latest", 1)
    assert not model.version_labels, "a label needs a version, and before the first push there is none"


def test_models_come_from_the_bucket_on_gke_and_from_the_volume_on_dev(gke, dev):
    (model,) = models(gke).values()
    assert str(model.base_path) == f"gs://my-project-tapeline/serving/{model.name}"
    (model,) = models(dev).values()
    assert str(model.base_path.parent) in [mount["mountPath"] for mount in dev.server["volumeMounts"]]


def test_a_release_may_edit_the_models_in_place_and_the_server_sees_it(manifests):
    (volume,) = [volume for volume in manifests.serving["spec"]["template"]["spec"]["volumes"] if volume["name"] == "models"]
    assert volume["configMap"]["name"] == "tapeline-models"
    assert int(manifests.server_flags["model_config_file_poll_wait_seconds"]) > 0
    assert manifests.server_flags["allow_version_labels_for_unavailable_models"] == "true"
    labels = manifests.one("ConfigMap", "tapeline-models")["metadata"]["labels"]
    assert labels["tapeline/apply"] == "once", "a later apply must be able to leave it out: -l tapeline/apply!=once"


def test_another_batching_or_monitoring_config_rolls_the_pods(manifests):
    (volume,) = [volume for volume in manifests.serving["spec"]["template"]["spec"]["volumes"] if volume["name"] == "config"]
    assert volume["configMap"]["name"].startswith("tapeline-serving-config-"), "read only at the start: the name has to change with it"


def test_batching_takes_large_requests_and_no_more_threads_than_cores(manifests, tmp_path):
    assert manifests.server_flags["enable_batching"] == "true"
    file = tmp_path / "batching.config"
    file.write_text(manifests.mounted(manifests.server_flags["batching_parameters_file"]))
    parameters = read_batching_parameters(file)
    assert parameters.max_execution_batch_size < parameters.max_batch_size
    assert parameters.num_batch_threads == int(manifests.server_flags["tensorflow_intra_op_parallelism"]) == 2


def test_versions_are_warmed_up(manifests):
    assert manifests.server_flags["enable_model_warmup"] == "true"


def test_started_means_that_a_version_of_the_model_is_loaded(manifests):
    (name,) = models(manifests)
    startup = probe(manifests, "startup")
    # The status page answers 200 while a version is loading; metadata needs one that is there.
    assert startup["httpGet"] == {"path": f"/v1/models/{name}/metadata", "port": "rest"}
    assert 300 <= seconds(startup) < manifests.serving["spec"]["progressDeadlineSeconds"]


def test_ready_means_that_what_stable_stands_for_is_loaded(gke):
    (name,) = models(gke)
    readiness = probe(gke, "readiness")
    assert readiness["httpGet"] == {"path": f"/v1/models/{name}/labels/stable/metadata", "port": "rest"}
    assert seconds(readiness) <= 30


def test_ready_means_on_dev_that_any_version_is_loaded(dev):
    assert probe(dev, "readiness")["httpGet"] == probe(dev, "startup")["httpGet"]


def test_alive_does_not_depend_on_the_model(manifests, tmp_path):
    file = tmp_path / "monitoring.config"
    file.write_text(manifests.mounted(manifests.server_flags["monitoring_config_file"]))
    monitoring = read_monitoring_config(file)
    assert monitoring.enable
    liveness = probe(manifests, "liveness")
    assert liveness["httpGet"] == {"path": monitoring.path, "port": "rest"}
    assert seconds(liveness) > seconds(probe(manifests, "readiness")), "no requests first, a new start only then"


def test_a_rollout_takes_no_pod_away_before_another_is_ready(manifests):
    spec = manifests.serving["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert "replicas" not in spec, "the HorizontalPodAutoscaler's"


def test_a_pod_that_goes_serves_until_its_clients_have_left(manifests):
    arguments = dict(item.split("=") for item in manifests.server_flags["grpc_channel_arguments"].split(","))
    age, grace = int(arguments["grpc.max_connection_age_ms"]) / 1000, int(arguments["grpc.max_connection_age_grace_ms"]) / 1000
    sleep = manifests.server["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert sleep > age, "every connection must have been renewed, elsewhere, by then"
    assert manifests.serving["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= sleep + grace
    assert sleep + grace >= int(manifests.server_flags["rest_api_timeout_in_ms"]) / 1000


def test_pods_are_spread_over_zones_and_nodes(manifests):
    spec = manifests.serving["spec"]
    constraints = spec["template"]["spec"]["topologySpreadConstraints"]
    assert {constraint["topologyKey"] for constraint in constraints} == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    for constraint in constraints:
        assert constraint["labelSelector"] == spec["selector"]
        assert constraint["matchLabelKeys"] == ["pod-template-hash"]
