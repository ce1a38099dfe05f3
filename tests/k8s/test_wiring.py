"""What one object says of another is so: selectors, ports, targets, budgets."""

from tests.k8s.render import ports


def test_a_workload_selects_its_own_pods_and_no_others(manifests):
    for item in manifests.all("Deployment"):
        namespace, template = item["metadata"]["namespace"], item["spec"]["template"]
        assert manifests.selected(namespace, item["spec"]["selector"]) == [template]


def test_a_service_leads_to_a_port_of_the_pods_that_it_selects(manifests):
    assert manifests.names("Service") == {"tapeline-serving-grpc", "tapeline-serving-rest"}
    for service in manifests.all("Service"):
        (template,) = manifests.selected(service["metadata"]["namespace"], {"matchLabels": service["spec"]["selector"]})
        assert template == manifests.serving["spec"]["template"]
        for port in service["spec"]["ports"]:
            assert ports(template)[port["targetPort"]] == port["port"], "the same number inside and outside"


def test_grpc_clients_see_every_pod_and_rest_has_one_address(manifests):
    assert manifests.one("Service", "tapeline-serving-grpc")["spec"]["clusterIP"] == "None"
    assert manifests.one("Service", "tapeline-serving-grpc")["spec"]["ports"][0]["targetPort"] == "grpc"
    assert "clusterIP" not in manifests.one("Service", "tapeline-serving-rest")["spec"]
    assert manifests.one("Service", "tapeline-serving-rest")["spec"]["ports"][0]["targetPort"] == "rest"


def test_a_probe_asks_a_port_of_its_container(manifests):
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert manifests.server[name]["httpGet"]["port"] in {port["name"] for port in manifests.server["ports"]}


def test_the_budget_is_for_the_servers_pods_and_lets_a_node_be_drained(manifests):
    (budget,) = manifests.all("PodDisruptionBudget")
    assert manifests.selected(budget["metadata"]["namespace"], budget["spec"]["selector"]) == [manifests.serving["spec"]["template"]]
    bounds = {name: budget["spec"][name] for name in ("minAvailable", "maxUnavailable") if name in budget["spec"]}
    assert len(bounds) == 1, "a PodDisruptionBudget has minAvailable or maxUnavailable, never both"
    (autoscaler,) = manifests.all("HorizontalPodAutoscaler")
    pods = autoscaler["spec"]["minReplicas"]
    assert bounds.get("maxUnavailable", pods - bounds.get("minAvailable", 0)) >= 1
    assert bounds.get("maxUnavailable", 0) < pods or pods == 1, "some pod must stay"


def test_the_autoscaler_scales_the_deployment_on_cpu_that_is_asked_for(manifests):
    (autoscaler,) = manifests.all("HorizontalPodAutoscaler")
    spec, target = autoscaler["spec"], manifests.serving
    assert autoscaler["metadata"]["namespace"] == target["metadata"]["namespace"]
    wanted = {"apiVersion": target["apiVersion"], "kind": target["kind"], "name": target["metadata"]["name"]}
    assert spec["scaleTargetRef"] == wanted
    assert 1 <= spec["minReplicas"] < spec["maxReplicas"]
    (cpu,) = [metric["resource"] for metric in spec["metrics"] if metric["type"] == "Resource"]
    assert cpu["name"] == "cpu"
    assert 0 < cpu["target"]["averageUtilization"] < 100
    assert "cpu" in manifests.server["resources"]["requests"], "a share of nothing is no target"


def test_gke_has_two_pods_at_least_and_dev_one(gke, dev):
    assert gke.one("HorizontalPodAutoscaler", "tapeline-serving")["spec"]["minReplicas"] == 2
    assert dev.one("HorizontalPodAutoscaler", "tapeline-serving")["spec"]["minReplicas"] == 1


def test_a_config_map_or_claim_that_a_pod_mounts_is_there(manifests):
    for namespace, template in manifests.templates():
        for volume in template["spec"]["volumes"]:
            if "configMap" in volume:
                assert volume["configMap"]["name"] in manifests.names("ConfigMap", namespace)
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in manifests.names("PersistentVolumeClaim", namespace)
