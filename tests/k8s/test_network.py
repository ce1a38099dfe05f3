"""Nothing may talk but what is named; what is named is enough for what the pods do."""

from urllib.parse import urlsplit

import pytest

from tests.k8s.render import containers, ports

NAMESPACES = ("tapeline-serving", "tapeline-pipeline")


def policy(manifests, namespace, name):
    return manifests.one("NetworkPolicy", name, namespace)["spec"]


def peer_namespaces(rule, side):
    return [peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in rule[side] if "namespaceSelector" in peer]


def port_numbers(rule):
    return {port["port"] for port in rule["ports"]}


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_a_namespace_denies_everything_by_default(manifests, namespace):
    spec = policy(manifests, namespace, "default-deny")
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_every_other_policy_is_named_for_what_it_allows_to_or_from_whom_and_on_which_ports(manifests):
    for item in manifests.all("NetworkPolicy"):
        if item["metadata"]["name"] == "default-deny":
            continue
        assert item["metadata"]["name"].startswith("allow-")
        for side, peers in (("ingress", "from"), ("egress", "to")):
            assert (side.capitalize() in item["spec"]["policyTypes"]) == (side in item["spec"])
            for rule in item["spec"].get(side, []):
                assert rule[peers]
                assert rule["ports"]


def test_a_policy_for_some_pods_is_for_pods_that_are_there_and_ports_that_they_have(manifests):
    for item in manifests.all("NetworkPolicy"):
        selector = item["spec"]["podSelector"]
        templates = manifests.selected(item["metadata"]["namespace"], selector)
        assert templates or not selector, item["metadata"]["name"]  # the pipeline's pods are KFP's
        for rule in item["spec"].get("ingress", []):
            assert all(port_numbers(rule) <= {*ports(template), *ports(template).values()} for template in templates)


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_names_can_be_looked_up(manifests, namespace):
    (rule,) = policy(manifests, namespace, "allow-dns")["egress"]
    assert peer_namespaces(rule, "to") == ["kube-system"]
    assert {(port["protocol"], port["port"]) for port in rule["ports"]} == {("UDP", 53), ("TCP", 53)}


def test_clients_come_from_namespaces_that_are_labelled_and_the_pipelines_is(manifests):
    (rule,) = policy(manifests, "tapeline-serving", "allow-clients")["ingress"]
    (peer,) = rule["from"]
    label = peer["namespaceSelector"]["matchLabels"]
    assert label.items() <= manifests.one("Namespace", "tapeline-pipeline")["metadata"]["labels"].items()
    assert port_numbers(rule) == {"grpc", "rest"}


def test_the_pipeline_reaches_the_servers_ports(manifests):
    (rule,) = policy(manifests, "tapeline-pipeline", "allow-serving")["egress"]
    open_to_clients = ports(manifests.serving["spec"]["template"])
    assert port_numbers(rule) == {open_to_clients["grpc"], open_to_clients["rest"]}
    (peer,) = rule["to"]
    assert manifests.selected(peer_namespaces(rule, "to")[0], peer["podSelector"]) == [manifests.serving["spec"]["template"]]


def test_the_cron_job_reaches_the_api_that_it_submits_to(gke):
    (job,) = gke.all("CronJob")
    (container,) = containers(job["spec"]["jobTemplate"]["spec"]["template"])
    (host,) = [urlsplit(argument.partition("=")[2]) for argument in container["args"] if argument.startswith("--host=")]
    (rule,) = policy(gke, "tapeline-pipeline", "allow-kubeflow")["egress"]
    assert host.port in port_numbers(rule)
    assert host.hostname.split(".")[1:] == peer_namespaces(rule, "to")


def test_serving_reaches_the_bucket_on_gke_and_nothing_inside_the_network(gke, dev):
    (rule,) = policy(gke, "tapeline-serving", "allow-google-apis")["egress"]
    assert port_numbers(rule) == {443}
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(rule["to"][0]["ipBlock"]["except"])
    assert "allow-google-apis" not in dev.names("NetworkPolicy")


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_workload_identity_reaches_the_metadata_server_with_and_without_dataplane_v2(gke, namespace):
    rules = policy(gke, namespace, "allow-metadata-server")["egress"]
    places = {(rule["to"][0]["ipBlock"]["cidr"], *port_numbers(rule)) for rule in rules}
    assert places == {("169.254.169.254/32", 80), ("169.254.169.252/32", 988)}


def test_the_metrics_collector_reaches_the_port_that_it_reads(gke):
    (rule,) = policy(gke, "tapeline-serving", "allow-monitoring")["ingress"]
    (endpoint,) = gke.one("PodMonitoring", "tapeline-serving")["spec"]["endpoints"]
    assert port_numbers(rule) == {endpoint["port"]}
