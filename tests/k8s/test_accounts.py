"""Who may do what: the pipeline writes, serving only reads, the CronJob only starts runs."""

from tests.k8s.render import containers

IDENTITY = "iam.gke.io/gcp-service-account"


def rules_of(manifests, account):
    """What roles let an account do: (namespace, rule)."""
    found = []
    for binding in manifests.all("RoleBinding"):
        if any(subject["name"] == account for subject in binding["subjects"]):
            namespace = binding["metadata"]["namespace"]
            role = manifests.one(binding["roleRef"]["kind"], binding["roleRef"]["name"], namespace)
            found += [(namespace, rule) for rule in role["rules"]]
    return found


def test_every_pod_runs_as_an_account_that_is_there(manifests):
    for namespace, template in manifests.templates():
        assert template["spec"]["serviceAccountName"] in manifests.names("ServiceAccount", namespace)


def test_every_binding_binds_an_account_and_a_role_that_are_there(manifests):
    bound = set()
    for binding in manifests.all("RoleBinding"):
        namespace, reference = binding["metadata"]["namespace"], binding["roleRef"]
        assert reference["name"] in manifests.names(reference["kind"], namespace)
        bound.add((namespace, reference["name"]))
        for subject in binding["subjects"]:
            assert subject["name"] in manifests.names(subject["kind"], subject["namespace"])
    assert bound == {(role["metadata"]["namespace"], role["metadata"]["name"]) for role in manifests.all("Role")}, (
        "a role without a binding"
    )


def test_nobody_has_rights_in_the_whole_cluster_or_to_everything(manifests):
    assert not manifests.all("ClusterRole") + manifests.all("ClusterRoleBinding")
    for role in manifests.all("Role"):
        for rule in role["rules"]:
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
            assert "secrets" not in rule["resources"]


def test_serving_may_ask_nothing_of_the_cluster(manifests):
    assert rules_of(manifests, "tapeline-serving") == []
    assert manifests.one("ServiceAccount", "tapeline-serving")["automountServiceAccountToken"] is False
    assert manifests.serving["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


def test_a_release_may_only_read_and_patch_the_models_that_the_server_reads(manifests):
    (volume,) = [volume for volume in manifests.serving["spec"]["template"]["spec"]["volumes"] if volume["name"] == "models"]
    rules = [rule for namespace, rule in rules_of(manifests, "tapeline-pipeline") if namespace == "tapeline-serving"]
    name = volume["configMap"]["name"]
    assert rules == [{"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [name], "verbs": ["get", "patch"]}]


def test_the_cron_job_may_start_runs_and_has_no_token_for_the_cluster(gke):
    rules = [rule for _, rule in rules_of(gke, "tapeline-submit")]
    assert [rule["apiGroups"] for rule in rules] == [["pipelines.kubeflow.org"]]
    (template,) = gke.selected("tapeline-pipeline", {"matchLabels": {"app.kubernetes.io/name": "tapeline-recurring-run"}})
    assert template["spec"]["serviceAccountName"] == "tapeline-submit"
    assert template["spec"]["automountServiceAccountToken"] is False
    (token,) = [volume["projected"]["sources"][0] for volume in template["spec"]["volumes"] if "projected" in volume]
    assert token["serviceAccountToken"]["audience"] == "pipelines.kubeflow.org"
    (container,) = containers(template)
    path = {variable["name"]: variable["value"] for variable in container["env"]}["KF_PIPELINES_SA_TOKEN_PATH"]
    assert path.rpartition("/")[0] in {mount["mountPath"] for mount in container["volumeMounts"]}
    assert path.rpartition("/")[2] == token["serviceAccountToken"]["path"]


def test_serving_and_the_pipeline_are_different_identities_to_google_on_gke_only(gke, dev):
    identities = {item["metadata"]["name"]: item["metadata"].get("annotations", {}).get(IDENTITY) for item in gke.all("ServiceAccount")}
    assert identities == {
        "tapeline-serving": "tapeline-serving@my-project.iam.gserviceaccount.com",
        "tapeline-pipeline": "tapeline-pipeline@my-project.iam.gserviceaccount.com",
        "tapeline-submit": None,
    }
    assert not any("annotations" in item["metadata"] for item in dev.all("ServiceAccount"))
