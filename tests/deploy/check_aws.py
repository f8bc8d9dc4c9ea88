"""deploy/aws"""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cfnlint.decode.cfn_yaml
import parliament

from s3_with_rights import s3
from support import KEY, ORGANISATION, Bench, call, check, exit_codes, need

TEMPLATE = "aws/nightly.yaml"
POLICY = "aws/s3-policy.json"
RETRIED = {4, 130, 143}


def resources(bench: Bench) -> dict[str, Any]:
    return cfnlint.decode.cfn_yaml.load(str(bench.deploy / TEMPLATE))["Resources"]


def policy(bench: Bench) -> dict[str, Any]:
    return json.loads(bench.read(POLICY))


@check(TEMPLATE)
def aws_template_is_valid(bench: Bench) -> None:
    call(need("cfn-lint"), bench.deploy / TEMPLATE, env=bench.environment())


@check(TEMPLATE)
def aws_maps_exit_codes(bench: Bench) -> None:
    strategy = resources(bench)["Job"]["Properties"]["RetryStrategy"]
    assert strategy["Attempts"] > 1

    def action(code: int) -> str:
        for rule in strategy["EvaluateOnExit"]:
            pattern = rule["OnExitCode"]
            if str(code) == pattern or (pattern.endswith("*") and str(code).startswith(pattern[:-1])):
                return rule["Action"]
        raise AssertionError(f"no rule for {code}")

    assert {code for code in exit_codes() if action(code) == "RETRY"} == RETRIED


@check(TEMPLATE)
def aws_job_command_runs(bench: Bench) -> None:
    """The command and the environment of the job load a table, on local disk instead of the bucket."""
    container = resources(bench)["Job"]["Properties"]["ContainerProperties"]
    definition = bench.definition(bench.scratch / "purchasing.toml")
    values = {"OrganisationId": ORGANISATION, "ApiKeySecret": KEY, "AWS::Region": "eu-central-1"}
    environment = {it["Name"]: values[it["Value"]["Ref"]] for it in container["Environment"]}
    environment |= {it["Name"]: values[it["ValueFrom"]["Ref"]] for it in container["Secrets"]}
    words = [definition if word == {"Ref": "Definition"} else word for word in container["Command"]]
    call(bench.flowlake, *words, env=environment | {"PROCUREMENTFLOW_BASE_URL": bench.source})
    assert bench.has_orders("purchasing")


@check(TEMPLATE, POLICY)
def aws_policies_are_sound(bench: Bench) -> None:
    """The linter of policies has nothing to say, and the template's policy is the one that is tried below."""
    found = parliament.analyze_policy_string(bench.read(POLICY))
    assert not found.findings, "\n".join(str(finding) for finding in found.findings)
    (of_role,) = resources(bench)["JobRole"]["Properties"]["Policies"]
    text = json.dumps(of_role["PolicyDocument"])
    for name, value in (("AWS::Partition", "aws"), ("Bucket", "example-lake"), ("Prefix", "purchasing")):
        text = text.replace(f"${{{name}}}", value)

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return value["Fn::Sub"] if set(value) == {"Fn::Sub"} else {k: plain(v) for k, v in value.items()}
        return [plain(it) for it in value] if isinstance(value, list) else value

    assert plain(json.loads(text)) == policy(bench), "the job's role and s3-policy.json differ"


@check(POLICY)
def aws_policy_is_the_least(bench: Bench) -> None:
    """flowlake does all it does on S3 with these rights, and needs each of them."""
    definition = bench.definition(bench.scratch / "purchasing.toml", key="retry = { max_attempts = 1 }")
    text = definition.read_text().replace(f"{bench.scratch}/lake/purchasing", "s3://example-lake/purchasing")
    text = text.replace('primary_key = ["id"]', 'primary_key = ["id"]\npartition_by = ["month(created_at)"]')
    definition.write_text(text.replace("records =", 'write_disposition = "merge"\nrecords ='))
    with s3("example-lake", policy(bench)) as (endpoint, rights), export() as (source, orders):
        environment = bench.environment(
            PROCUREMENTFLOW_BASE_URL=source,
            AWS_ACCESS_KEY_ID="nobody",
            AWS_SECRET_ACCESS_KEY="nothing",
            AWS_REGION="eu-central-1",
            AWS_ENDPOINT_URL=endpoint,
            AWS_ALLOW_HTTP="true",
        )

        def flowlake(*words: object, expect: int = 0) -> None:
            try:
                call(bench.flowlake, *words, env=environment, expect=expect)
            finally:
                assert not rights.denied, f"the policy does not allow {rights.denied[:3]}"

        flowlake("check", "--online", definition)
        flowlake("run", definition)
        orders.change()
        flowlake("run", definition)
        # An upload that fails is aborted.
        orders.change()
        rights.failing_parts = 1
        flowlake("run", definition, expect=7)
        flowlake("run", definition)
        flowlake("verify", definition)
        flowlake("runs", definition)
        flowlake("prune", definition)
    allowed = {
        action
        for statement in policy(bench)["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert rights.used == allowed, f"not needed: {allowed - rights.used}"


class Orders:
    """An export of 20 MB that compresses badly, so that it is uploaded in parts."""

    def __init__(self) -> None:
        self.random = random.Random(21)
        self.orders = [
            {
                "id": number,
                "createdAt": f"2026-{number % 9 + 1:02}-01T00:00:00Z",
                "note": self.random.randbytes(2000).hex(),
            }
            for number in range(5000)
        ]

    def change(self) -> None:
        for order in self.orders[::100]:
            order["note"] = self.random.randbytes(2000).hex()


@contextmanager
def export() -> Iterator[tuple[str, Orders]]:
    """A source with these orders."""
    orders = Orders()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"purchaseOrders": orders.orders}).encode()
            self.send_response_only(200 if self.headers["x-api-key"] == KEY else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", orders
    finally:
        server.shutdown()
