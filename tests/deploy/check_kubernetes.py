"""deploy/kubernetes"""

from __future__ import annotations

import json
import re
from typing import Any

import kubernetes_validate
import yaml

from support import KEY, ORGANISATION, Bench, call, check, exit_codes, need

BASE = ("kubernetes/base/kustomization.yaml", "kubernetes/base/flowlake.yaml")
NIGHTLY = tuple(f"kubernetes/nightly/{name}" for name in ("kustomization.yaml", "cronjob.yaml", "purchasing.toml"))
ORGANISATIONS = tuple(
    f"kubernetes/organisations/{name}" for name in ("kustomization.yaml", "job.yaml", "0.toml", "1.toml", "2.toml")
)
# The oldest that each needs, and the newest that the schemas are there for.
VERSIONS = {"base": ("1.31", "1.37"), "nightly": ("1.31", "1.37"), "organisations": ("1.33", "1.37")}
RETRIED = {0, 4, 130, 143}


def rendered(bench: Bench, name: str) -> list[dict[str, Any]]:
    ended = call(need("kubectl"), "kustomize", bench.deploy / "kubernetes" / name)
    return [document for document in yaml.safe_load_all(ended.stdout) if document]


def of_kind(documents: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    (found,) = [document for document in documents if document["kind"] == kind]
    return found


def jobs(bench: Bench) -> dict[str, dict[str, Any]]:
    """The spec of the Job of each."""
    cron_job = of_kind(rendered(bench, "nightly"), "CronJob")
    return {
        "nightly": cron_job["spec"]["jobTemplate"]["spec"],
        "organisations": of_kind(rendered(bench, "organisations"), "Job")["spec"],
    }


@check(*BASE, *NIGHTLY, *ORGANISATIONS)
def kubernetes_manifests_fit_the_schemas(bench: Bench) -> None:
    for name, versions in VERSIONS.items():
        for document in rendered(bench, name):
            for version in versions:
                try:
                    kubernetes_validate.validate(document, version, strict=True)
                except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
                    raise AssertionError(f"{name}, {document['kind']}, Kubernetes {version}: {error!r}") from error
            if document["kind"] != "Namespace":
                assert document["metadata"].get("namespace") == "flowlake", document["metadata"]


@check(BASE[1], NIGHTLY[1], ORGANISATIONS[1])
def kubernetes_pods_are_restricted(bench: Bench) -> None:
    """The `restricted` standard, which the namespace asks for."""
    namespace = of_kind(rendered(bench, "base"), "Namespace")
    assert namespace["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}
    account = of_kind(rendered(bench, "base"), "ServiceAccount")["metadata"]["name"]
    for name, job in jobs(bench).items():
        pod = job["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["serviceAccountName"] == account, name
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert not container["image"].endswith(("flowlake", ":latest")), "the image has a version"
        assert all({"configMap", "secret", "emptyDir"} & volume.keys() for volume in pod["volumes"]), name
        mounts = {mount["name"] for mount in container["volumeMounts"]}
        assert mounts == {volume["name"] for volume in pod["volumes"]}, name
        paths = {mount["mountPath"] for mount in container["volumeMounts"]}
        spill = {variable["name"]: variable.get("value") for variable in container["env"]}["TMPDIR"]
        assert spill in paths, "the root file system is read only"


@check(NIGHTLY[1], ORGANISATIONS[1])
def kubernetes_maps_exit_codes(bench: Bench) -> None:
    for name, job in jobs(bench).items():
        pod = job["template"]["spec"]
        assert pod["restartPolicy"] == "Never", f"{name}: podFailurePolicy needs it"
        rules = job["podFailurePolicy"]["rules"]
        by_code = [rule for rule in rules if "onExitCodes" in rule]
        (rule,) = by_code
        assert rule["onExitCodes"]["containerName"] == pod["containers"][0]["name"], name
        assert rule["onExitCodes"]["operator"] == "In", name
        assert exit_codes() - set(rule["onExitCodes"]["values"]) == RETRIED, name
        assert rule["action"] == ("FailJob" if name == "nightly" else "FailIndex"), name
        limit = job["backoffLimit"] if name == "nightly" else job["backoffLimitPerIndex"]
        assert limit > 0, f"{name}: 4 is tried again"
        disruption = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
        assert any(rule | {"onPodConditions": disruption["onPodConditions"]} == disruption for rule in rules), name
    assert of_kind(rendered(bench, "nightly"), "CronJob")["spec"]["concurrencyPolicy"] == "Forbid"


@check(*NIGHTLY)
def kubernetes_nightly_command_runs(bench: Bench) -> None:
    """The container's command with its environment and files loads a table, on local disk instead of the bucket."""
    documents = rendered(bench, "nightly")
    pod = jobs(bench)["nightly"]["template"]["spec"]
    (container,) = pod["containers"]
    values = {"organisation-id": ORGANISATION, "api-key": KEY}
    environment = {
        variable["name"]: variable.get("value") or values.get(variable["valueFrom"]["secretKeyRef"]["key"], "")
        for variable in container["env"]
    }
    run_container(bench, documents, container, environment, "purchasing")


@check(*ORGANISATIONS)
def kubernetes_organisations_commands_run(bench: Bench) -> None:
    """Each index runs its own definition, with its own key, into its own destination."""
    documents = rendered(bench, "organisations")
    job = jobs(bench)["organisations"]
    assert job["completionMode"] == "Indexed"
    (container,) = job["template"]["spec"]["containers"]
    definitions = of_kind(documents, "ConfigMap")["data"]
    assert sorted(definitions) == [f"{index}.toml" for index in range(job["completions"])]
    for key in ("organisation_id", "url", "name"):
        values = re.findall(rf"^{key} = (.*organisation-.*)$", "\n".join(definitions.values()), re.MULTILINE)
        assert len(set(values)) == job["completions"], f"{key} is the organisation's own: {values}"
    keys = bench.scratch / "run/secrets/procurementflow"
    keys.mkdir(parents=True)
    for index in range(job["completions"]):
        (keys / str(index)).write_text(KEY)
        (keys / str(index)).chmod(0o440)
        environment = {variable["name"]: variable["value"] for variable in container["env"]}
        environment["JOB_COMPLETION_INDEX"] = str(index)
        setting = f"source.organisation_id={ORGANISATION}"
        lake = f"organisation-{index}"
        pipeline = run_container(bench, documents, container, environment, lake, "--set", setting)
        assert pipeline == f"purchasing-{lake}"


def run_container(
    bench: Bench,
    documents: list[dict[str, Any]],
    container: dict[str, Any],
    environment: dict[str, str],
    lake: str,
    *more: str,
) -> str:
    """Runs what a container would, with its config map and its absolute paths in the scratch directory, and gives back the
    name of the pipeline."""
    etc = bench.scratch / "etc/flowlake"
    etc.mkdir(parents=True, exist_ok=True)
    for name, text in of_kind(documents, "ConfigMap")["data"].items():
        (etc / name).write_text(text.replace("/run/secrets", f"{bench.scratch}/run/secrets"))
    (bench.scratch / "spill").mkdir(exist_ok=True)
    environment = environment | {
        "TMPDIR": f"{bench.scratch}{environment['TMPDIR']}",
        "PROCUREMENTFLOW_BASE_URL": bench.source,
    }
    arguments = [
        re.sub(r"\$\((\w+)\)", lambda found: environment[found[1]], argument).replace(
            "/etc/flowlake", str(etc)
        )
        for argument in container["args"]
    ]
    ended = call(
        bench.flowlake,
        *arguments,
        "--set",
        f"destination.url={bench.scratch}/lake/{lake}",
        *more,
        env=environment,
    )
    assert bench.has_orders(lake), lake
    return json.loads(ended.stdout)["pipeline"]
