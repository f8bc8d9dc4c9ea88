"""How each file of deploy/ is broken, and the check that has to see it."""

UNIT = "systemd/flowlake@.service"
TIMER = "systemd/flowlake@.timer"
SCRIPT = "cron/flowlake-nightly"
CRON_JOB = "kubernetes/nightly/cronjob.yaml"
JOB = "kubernetes/organisations/job.yaml"
BASE = "kubernetes/base/flowlake.yaml"
DAG = "airflow/flowlake_nightly.py"
WORKFLOW = "github-actions/nightly.yml"
RELEASE = "github-actions/release.yml"
TEMPLATE = "aws/nightly.yaml"
POLICY = "aws/s3-policy.json"
IMAGE = "container/Containerfile"
PIPELINES = "container/Containerfile.pipelines"
BUILD = "container/build-image"

# The check, the file, the text, and what it becomes.
BREAKS = [
    ("systemd_units_are_valid", UNIT, "ProtectHome=", "ProtectHomes="),
    ("systemd_units_are_valid", TIMER, "OnCalendar=*-*-* 02:15:00", "OnCalendar=nightly"),
    ("systemd_unit_is_hardened", UNIT, "SystemCallFilter=@system-service\n", ""),
    ("systemd_timer_is_nightly", TIMER, "*-*-* 02:15:00", "Mon *-*-* 02:15:00"),
    ("systemd_user_is_made", "systemd/flowlake.sysusers", "u flowlake", "u flowlakes"),
    ("systemd_maps_exit_codes", UNIT, "RestartPreventExitStatus=1 2 3 5 6 7", "RestartPreventExitStatus=1 2 3 4 5 6 7"),
    ("systemd_maps_exit_codes", UNIT, "SuccessExitStatus=11", "SuccessExitStatus=3 11"),
    ("systemd_command_runs", UNIT, "readable_by_others = true", "readable_by_others = false"),
    ("crontab_is_valid", "cron/crontab", "15 2 * * *", "75 2 * * *"),
    ("cron_script_is_clean", SCRIPT, '"$definition" .toml', "$definition .toml"),
    ("cron_logs_are_rotated", "cron/flowlake.logrotate", "weekly", "nightly"),
    ("cron_maps_exit_codes", SCRIPT, "0 | 11) exit 0", "0) exit 0"),
    ("cron_maps_exit_codes", SCRIPT, '"$code" -eq 4', '"$code" -eq 7'),
    ("cron_script_loads_a_table", SCRIPT, "set -a\n", ""),
    ("cron_script_passes_signals_on", SCRIPT, "trap stop TERM INT", ""),
    ("kubernetes_manifests_fit_the_schemas", CRON_JOB, "backoffLimit:", "backofLimit:"),
    ("kubernetes_manifests_fit_the_schemas", JOB, "completions: 3", 'completions: "3"'),
    ("kubernetes_manifests_fit_the_schemas", BASE, "kind: Namespace", "kind: Namespaces"),
    ("kubernetes_manifests_fit_the_schemas", "kubernetes/base/kustomization.yaml", "flowlake.yaml", "absent.yaml"),
    ("kubernetes_manifests_fit_the_schemas", "kubernetes/nightly/kustomization.yaml", "namespace: flowlake\n", ""),
    ("kubernetes_manifests_fit_the_schemas", "kubernetes/organisations/kustomization.yaml", "1.toml", "3.toml"),
    ("kubernetes_pods_are_restricted", CRON_JOB, "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
    ("kubernetes_pods_are_restricted", BASE, "enforce: restricted", "enforce: privileged"),
    ("kubernetes_maps_exit_codes", CRON_JOB, "[1, 2, 3, 5, 6, 7, 11]", "[1, 2, 3, 4, 5, 6, 7, 11]"),
    ("kubernetes_maps_exit_codes", JOB, "action: FailIndex", "action: FailJob"),
    ("kubernetes_nightly_command_runs", CRON_JOB, "name: PROCUREMENTFLOW_API_KEY\n", "name: PROCUREMENTFLOW_KEY\n"),
    ("kubernetes_nightly_command_runs", "kubernetes/nightly/purchasing.toml", "/purchaseOrders", "/orders"),
    ("kubernetes_organisations_commands_run", JOB, "$(JOB_COMPLETION_INDEX).toml", "0.toml"),
    ("kubernetes_organisations_commands_run", "kubernetes/organisations/0.toml", "readable_by_others = true", ""),
    ("kubernetes_organisations_commands_run", "kubernetes/organisations/1.toml", "organisation-1", "organisation-0"),
    ("kubernetes_organisations_commands_run", "kubernetes/organisations/2.toml", "version = 1", "version = 3"),
    ("airflow_maps_exit_codes", DAG, "BUSY = 0, 4, 7, 11", "BUSY = 0, 4, 6, 11"),
    ("airflow_maps_exit_codes", DAG, "if not found:", "if False:"),
    ("airflow_runs_the_dag", DAG, ".expand(definition=", ".expand(definitions="),
    ("airflow_fails_where_flowlake_does", DAG, "if code == DONE:", "if code in (DONE, 5):"),
    ("github_workflow_is_valid", WORKFLOW, "matrix.definition", "matrix.pipeline"),
    ("github_workflow_is_valid", WORKFLOW, "runs-on:", "run-on:"),
    ("github_script_is_clean", WORKFLOW, '-ge 4 ]', "-ge 4 ]]"),
    ("github_maps_exit_codes", WORKFLOW, "11) echo", "12) echo"),
    ("github_step_loads_a_table", WORKFLOW, "--env PROCUREMENTFLOW_API_KEY --env", "--env"),
    ("release_workflow_is_valid", RELEASE, "steps.sbom.outputs", "steps.bom.outputs"),
    ("release_workflow_is_valid", RELEASE, "needs: build", "needs: built"),
    ("release_scripts_are_clean", RELEASE, '"$GITHUB_REF_NAME" > target', "$GITHUB_REF_NAME > target"),
    ("release_makes_what_the_makefile_makes", RELEASE, "run: make dist", "run: make artifacts"),
    ("release_makes_what_the_makefile_makes", RELEASE, "make test-dist", "make dist"),
    ("release_makes_what_the_makefile_makes", RELEASE, "target/dist/SHA256SUMS", "target/out/SHA256SUMS"),
    ("release_has_the_least_rights", RELEASE, "permissions: {}", "permissions: write-all"),
    ("release_has_the_least_rights", RELEASE, "      contents: read\n", "      contents: write\n"),
    ("release_publishes_what_was_checked", RELEASE, "--check --strict", "--version"),
    ("release_publishes_what_was_checked", RELEASE, "*-*)", "*+*)"),
    ("release_publishes_what_was_checked", RELEASE, "--notes-file notes.md", "--generate-notes"),
    ("aws_template_is_valid", TEMPLATE, "!GetAtt JobRole.Arn", "!GetAtt TaskRole.Arn"),
    ("aws_maps_exit_codes", TEMPLATE, 'OnExitCode: "4"', 'OnExitCode: "5"'),
    ("aws_job_command_runs", TEMPLATE, "Name: PROCUREMENTFLOW_API_KEY", "Name: PROCUREMENTFLOW_KEY"),
    ("aws_policies_are_sound", TEMPLATE, "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
    ("aws_policies_are_sound", POLICY, "s3:DeleteObject", "s3:DeleteObjects"),
    ("aws_policy_is_the_least", POLICY, '"s3:AbortMultipartUpload"', '"s3:GetObjectAcl"'),
    ("aws_policy_is_the_least", POLICY, '"s3:DeleteObject",', '"s3:DeleteObject", "s3:GetObjectVersion",'),
    ("containerfiles_are_clean", IMAGE, "rust:1.92-slim-bookworm", "rust"),
    ("containerfiles_are_clean", PIPELINES, "COPY *.toml", "ADD *.toml"),
    ("container_build_has_its_files", IMAGE, "COPY data data\n", ""),
    ("container_fits_the_binary", IMAGE, "cc-debian12", "cc-debian11"),
    ("container_has_no_root", IMAGE, "USER 65532:65532", "USER root"),
    ("container_commands_run", IMAGE, '["--help"]', '["help-me"]'),
    ("container_commands_run", PIPELINES, '"check"', '"look"'),
    ("container_script_is_clean", BUILD, 'rm -rf "$scratch"', "rm -rf $scratch"),
    ("container_image_loads_a_table", BUILD, "65532:65532", "0:0"),
    ("container_image_loads_a_table", BUILD, "${SOURCE_DATE_EPOCH:-0}", "$(date +%s)"),
    ("pages_have_links_that_lead_somewhere", "README.md", "](../docs/running.md#exit-codes)", "](../docs/running.md#codes)"),
    ("pages_have_links_that_lead_somewhere", "airflow/README.md", "](../../docs/running.md", "](../docs/running.md"),
    ("pages_have_links_that_lead_somewhere", "github-actions/README.md", "](../aws/s3", "](../aws/s4"),
    ("pages_have_commands_that_parse", "systemd/README.md", "> /etc/flowlake/api-key)", "> /etc/flowlake/api-key"),
    ("pages_have_commands_that_parse", "container/README.md", "podman run --rm registry", "podman run ( registry"),
    ("pages_link_to_the_exit_codes", "cron/README.md", "running.md#exit-codes)", "running.md)"),
    ("pages_link_to_the_exit_codes", "aws/README.md", "running.md#exit-codes)", "running.md)"),
    ("pages_link_to_the_exit_codes", "kubernetes/README.md", "running.md#exit-codes)", "running.md)"),
]
