"""Every metric that an alert, the autoscaler or the dashboard names is one that somebody exports."""

import json
import re

import pytest

from serving.server.metrics import Metrics

# From elsewhere: Prometheus itself, and the packages DEPLOYMENT and HPA of GKE's managed kube-state-metrics.
CLUSTER = {
    "up",
    "kube_deployment_spec_replicas",
    "kube_deployment_status_replicas_available",
    "kube_horizontalpodautoscaler_spec_max_replicas",
    "kube_horizontalpodautoscaler_status_current_replicas",
}
DURATION = re.compile(r"\d+[smhd]")
WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}
_IGNORED = re.compile(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)')
_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*(?!\s*\()\b(?!\s*\()")


def exported():
    """TensorFlow Serving's metrics by name, with their types; those of its development server alone are left out."""
    types = dict(line.split()[2:] for line in Metrics().page().decode().splitlines() if line.startswith("# TYPE "))
    return {name: kind for name, kind in types.items() if name.startswith(":tensorflow:")}


def series():
    """The names that a query may ask for."""
    suffixes = {"histogram": ("_bucket", "_sum", "_count")}
    return {name + suffix for name, kind in exported().items() for suffix in suffixes.get(kind, ("",))}


def metrics_of(query):
    """The metrics that a query names."""
    return set(_NAME.findall(_IGNORED.sub(" ", query))) - WORDS


def alerts(manifests):
    return [rule for group in manifests.one("Rules", "tapeline-serving")["spec"]["groups"] for rule in group["rules"]]


def dashboard(manifests):
    config_map = manifests.one("ConfigMap", "tapeline-dashboard")
    assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"
    (text,) = config_map["data"].values()
    return json.loads(text)


def test_a_querys_metrics_are_told_from_its_functions_labels_and_words():
    query = 'sum by (pod) (rate(:a:b_count{x=~"y|z"}[5m])) / on (pod) group_left (node) max(up{job="j"}) > 0.5 or absent(other_metric)'
    assert metrics_of(query) == {":a:b_count", "up", "other_metric"}


def test_an_alert_asks_for_metrics_that_there_are(gke):
    for alert in alerts(gke):
        named = metrics_of(alert["expr"])
        assert named, alert["alert"]
        assert named <= series() | CLUSTER, alert["alert"]


def test_an_alert_says_how_bad_it_is_what_is_wrong_and_what_to_do(gke):
    names = [alert["alert"] for alert in alerts(gke)]
    assert len(names) == len(set(names))
    for alert in alerts(gke):
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert alert["annotations"].keys() == {"summary", "action"}


def test_errors_latency_versions_and_pods_are_watched(gke):
    watched = {
        "TapelineErrorRatio": ":tensorflow:serving:request_count",
        "TapelineLatency": ":tensorflow:serving:request_latency_bucket",
        "TapelineNoAvailableVersion": "kube_deployment_status_replicas_available",
        "TapelineStaleModel": ":tensorflow:cc:saved_model:load_attempt_count",
        "TapelinePodsMissing": "kube_deployment_spec_replicas",
    }
    queries = {alert["alert"]: alert["expr"] for alert in alerts(gke)}
    assert {name: metric for name, metric in watched.items() if metric in metrics_of(queries[name])} == watched


def test_an_alert_about_an_object_names_one_that_is_there(gke):
    for alert in alerts(gke):
        for label, kind in (("deployment", "Deployment"), ("job", "PodMonitoring"), ("namespace", "Namespace")):
            assert set(re.findall(rf'{label}="([^"]*)"', alert["expr"])) <= gke.names(kind)


def test_the_autoscaler_scales_on_a_counter_that_the_server_exports(gke, dev):
    (autoscaler,) = gke.all("HorizontalPodAutoscaler")
    (metric,) = [metric["pods"] for metric in autoscaler["spec"]["metrics"] if metric["type"] == "Pods"]
    source, name, kind = metric["metric"]["name"].split("|")
    assert source == "prometheus.googleapis.com"
    assert exported()[name] == kind
    assert metric["target"]["type"] == "AverageValue"
    assert int(metric["target"]["averageValue"]) > 0
    assert [metric["type"] for item in dev.all("HorizontalPodAutoscaler") for metric in item["spec"]["metrics"]] == ["Resource"]


def test_the_collector_reads_the_page_that_the_server_shows(gke):
    spec = gke.one("PodMonitoring", "tapeline-serving")["spec"]
    assert gke.selected("tapeline-serving", spec["selector"]) == [gke.serving["spec"]["template"]]
    (endpoint,) = spec["endpoints"]
    assert {"path": endpoint["path"], "port": endpoint["port"]} == gke.server["livenessProbe"]["httpGet"]


def test_the_dashboard_shows_metrics_that_there_are(manifests):
    panels = dashboard(manifests)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["targets"]
        for target in panel["targets"]:
            named = metrics_of(target["expr"])
            assert named, panel["title"]
            assert named <= series() | CLUSTER, panel["title"]


def test_the_dashboard_asks_whichever_data_source_and_model_one_picks(manifests):
    variables = {variable["name"]: variable for variable in dashboard(manifests)["templating"]["list"]}
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in dashboard(manifests)["panels"])
    assert variables["datasource"]["query"] == "prometheus"
    (metric,) = re.findall(r"label_values\(([^,]*), model_name\)", variables["model"]["query"])
    assert metric in series()


@pytest.mark.parametrize("metric", [":tensorflow:serving:request_counts", "kube_deployment_replicas", ":tapeline:serving:model_version"])
def test_a_metric_that_the_real_server_lacks_is_not_taken(metric):
    assert not metrics_of(f"rate({metric}[5m])") <= series() | CLUSTER


def test_the_kinds_without_a_schema_have_no_field_that_they_do_not_know(gke):
    collector = gke.one("PodMonitoring", "tapeline-serving")["spec"]
    assert collector.keys() == {"selector", "endpoints"}
    for endpoint in collector["endpoints"]:
        assert endpoint.keys() == {"port", "path", "interval", "timeout"}
        assert DURATION.fullmatch(endpoint["interval"])
        assert int(endpoint["timeout"][:-1]) <= int(endpoint["interval"][:-1])
    rules = gke.one("Rules", "tapeline-serving")["spec"]
    assert rules.keys() == {"groups"}
    for group in rules["groups"]:
        assert group.keys() == {"name", "interval", "rules"}
        assert all(rule.keys() <= {"alert", "expr", "for", "labels", "annotations"} for rule in group["rules"])
        assert all(DURATION.fullmatch(rule.get("for", "0s")) for rule in group["rules"])
