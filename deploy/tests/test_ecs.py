import os
import shutil
import stat
import subprocess

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.text import slugify
from structlog.testing import capture_logs

from deploy.ecs import base, plan, services
from framework import discovery, env
from framework.queue import relay
from project.env import Env

PROJECT = slugify(Env.model_fields["project_name"].default)
ENVIRONMENTS = ["production", "staging"]
ROLES = ["beat", "grpc", "relay", "web", "worker"]
SPLIT = """
[installations.backend]
domains = ["sales"]
roles = ["web", "grpc", "worker", "beat", "relay"]

[installations.stock]
domains = ["stock"]
roles = ["grpc", "worker", "beat", "relay"]
"""


def definitions(template):
    return {
        resource["Properties"]["Family"]: resource["Properties"]["ContainerDefinitions"][0]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::ECS::TaskDefinition"
    }


def all_definitions(found):
    return definitions(base.template(found)) | definitions(services.template(found))


def environment_of(container):
    return {pair["Name"]: pair["Value"] for pair in container["Environment"]}


@pytest.fixture
def files(tmp_path):
    """A copy of deploy/ecs in which texts can be replaced."""
    shutil.copytree(plan.FOLDER, tmp_path, dirs_exist_ok=True)

    def replaced(name, old, new):
        text = (tmp_path / name).read_text()
        assert old in text
        (tmp_path / name).write_text(text.replace(old, new))
        return tmp_path

    return replaced


@pytest.fixture
def split(files):
    text = (plan.FOLDER / "services.toml").read_text()
    return files("services.toml", text[text.index("[installations.backend]") :], SPLIT)


def test_both_environments_are_there():
    assert plan.environments() == ENVIRONMENTS


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_each_role_is_a_service_and_migrating_is_a_task_alone(environment):
    found = plan.load(environment)
    resources = services.template(found)["Resources"].values()
    created = [each["Properties"]["ServiceName"] for each in resources if each["Type"] == "AWS::ECS::Service"]

    assert sorted(created) == [f"backend-{role}" for role in ROLES]
    assert list(definitions(base.template(found))) == [f"{PROJECT}-{environment}-backend-migrate"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_settings_read_every_variable_and_get_every_one_they_need(environment, monkeypatch):
    known = {name.upper() for name in Env.model_fields}
    for container in all_definitions(plan.load(environment)).values():
        secrets = {secret["Name"] for secret in container["Secrets"]}
        names = secrets | set(environment_of(container))
        for name in known:
            monkeypatch.delenv(name, raising=False)
        for name, value in (environment_of(container) | {name: plan.STAND_INS[name] for name in secrets}).items():
            monkeypatch.setenv(name, value)

        assert names <= known
        assert env.load(Env).debug is False


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_secret_stands_in_a_template(environment):
    for container in all_definitions(plan.load(environment)).values():
        assert not {name for name in environment_of(container) if env.is_secret(Env, name.lower())}


def test_a_task_is_killed_only_after_its_drain_has_ended():
    timeouts = {name: task["StopTimeout"] for name, task in all_definitions(plan.load("production")).items()}

    assert timeouts[f"{PROJECT}-production-backend-web"] == 20 + 10
    assert timeouts[f"{PROJECT}-production-backend-grpc"] == 33 + 10
    assert timeouts[f"{PROJECT}-production-backend-worker"] == 60 + 10


def test_environments_differ_in_their_values_only():
    def shape(value):
        if isinstance(value, dict):
            return {key: shape(item) for key, item in value.items()}
        return [shape(item) for item in value] if isinstance(value, list) else type(value)

    one, other = (base.template(plan.load(environment)) for environment in ENVIRONMENTS)
    assert shape(one) == shape(other)


def test_a_domain_that_moved_out_is_a_service_of_its_own_and_the_rest_calls_it(split):
    found = plan.load("staging", split)
    containers = all_definitions(found)
    web, stock = (environment_of(containers[f"{PROJECT}-staging-{name}"]) for name in ("backend-web", "stock-grpc"))

    assert (web["DOMAINS"], web["STOCK_URL"]) == ("sales", f"grpc://stock-grpc.staging.{PROJECT}.internal:50051")
    assert (stock["DOMAINS"], stock["SALES_URL"]) == ("stock", f"grpc://backend-grpc.staging.{PROJECT}.internal:50051")
    assert "StockGrpcName" in services.template(found)["Resources"]
    assert "StockMigrateTask" in base.template(found)["Resources"]
    assert "StockGrpcTargets" not in base.template(found)["Resources"]


def test_an_installation_that_names_no_domains_holds_those_of_the_settings():
    web = environment_of(all_definitions(plan.load("staging"))[f"{PROJECT}-staging-backend-web"])

    assert web["DOMAINS"] == ",".join(Env.model_fields["domains"].default)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_domain_reaches_those_it_calls(environment):
    for container in all_definitions(plan.load(environment)).values():
        variables = environment_of(container)
        here = discovery.packages(filter(None, variables["DOMAINS"].split(",")))
        discovery.check_calls(here, env.domain_urls(variables, settings.BASE_DIR / "apps", tuple(here)))


@pytest.mark.parametrize(
    ("name", "old", "new", "refusal"),
    [
        ("staging.toml", "LOG_LEVEL", "LOG_LEVLE", "do not read: LOG_LEVLE"),
        ("staging.toml", 'LOG_LEVEL = "INFO"', 'LOG_LEVEL = "LOUD"', "LOG_LEVEL='LOUD'"),
        ("staging.toml", "ALLOWED_HOSTS", "LOG_FORMAT", r"ALLOWED_HOSTS=\(empty\)|LOG_FORMAT="),
        ("staging.toml", "LOG_LEVEL", "SECRET_KEY", "values of secrets: SECRET_KEY"),
        ("staging.toml", "monitoring =", "monitors =", "METRICS_PORT is set: name the security group"),
        ("services.toml", '"SECRET_KEY", ', "", r"SECRET_KEY=\(empty\)"),
        ("services.toml", '"REDIS_URL", ', "", "REDIS_URL among the secrets"),
        ("services.toml", "WORKER_GRACE = 60", "WORKER_GRACE = 110", None),
        ("services.toml", "GRPC_GRACE = 30", "GRPC_GRACE = 110", "grpc drains for 113 s"),
        ("services.toml", '["web", "grpc"', '["grpc"', "One installation has the role web; here: none"),
    ],
)
def test_what_cannot_work_is_refused(files, name, old, new, refusal):
    folder = files(name, old, new)
    if refusal is None:
        assert plan.load("staging", folder).services
        return
    with pytest.raises(ImproperlyConfigured, match=refusal):
        plan.load("staging", folder)


def test_one_domain_in_two_installations_is_refused(split):
    text = (split / "services.toml").read_text().replace('["stock"]', '["stock", "sales"]')
    (split / "services.toml").write_text(text)

    with pytest.raises(ImproperlyConfigured, match="'sales' is held by both backend and stock"):
        plan.load("staging", split)


AWS = """#!/bin/sh
echo "$*" >> "$AWS_LOG"
case "$*" in
    *OutputKey==*Migrations*) echo migrate-task ;;
    *OutputKey==*) echo value ;;
    *run-task*) echo task-arn ;;
    *describe-tasks*) echo "$MIGRATION_CODE" ;;
esac
"""


@pytest.mark.parametrize(
    ("code", "steps"),
    [
        ("0", ["deploy base", "run-task", "wait tasks-stopped", "describe-tasks", "deploy services"]),
        ("1", ["deploy base", "run-task", "wait tasks-stopped", "describe-tasks"]),
    ],
)
def test_services_roll_after_a_migration_that_worked(tmp_path, code, steps):
    program = tmp_path / "aws"
    program.write_text(AWS)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    log = tmp_path / "log"
    ours = {name: value for name, value in os.environ.items() if name not in ("DEBUG", "DJANGO_SETTINGS_MODULE")}
    environ = ours | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "AWS_LOG": str(log), "MIGRATION_CODE": code}
    script = settings.BASE_DIR / "deploy" / "ecs" / "deploy.sh"
    done = subprocess.run([script, "staging", "registry/backend:2"], env=environ, capture_output=True, text=True)

    lines = [line for line in log.read_text().splitlines() if "describe-stacks" not in line]
    assert (done.returncode != 0) == (code != "0")
    assert [_step(line) for line in lines] == steps


def _step(line):
    words = line.split()
    if words[0] == "cloudformation":
        return f"deploy {words[words.index('--stack-name') + 1].rpartition('-')[2]}"
    return " ".join(words[1:3]) if words[1] == "wait" else words[1]


def ingress(found):
    group = base.template(found)["Resources"]["TaskGroup"]["Properties"]["SecurityGroupIngress"]
    return {(rule["FromPort"], rule["ToPort"], str(rule["SourceSecurityGroupId"])) for rule in group}


def test_who_monitors_reaches_the_metrics_and_nobody_else_does(files):
    balancer = "{'Fn::GetAtt': ['BalancerGroup', 'GroupId']}"
    served = {(8000, 8000, balancer), (50051, 50051, balancer)}

    assert ingress(plan.load("staging")) == served | {(9100, 9103, "sg-00000000000000001")}
    assert ingress(plan.load("staging", files("services.toml", "METRICS_PORT = 9100", ""))) == served


@pytest.mark.django_db
def test_what_scales_the_workers_is_a_line_that_the_relay_writes():
    with capture_logs() as lines:
        relay.report()
    (line,) = lines
    (metric,) = (
        resource["Properties"]
        for resource in services.template(plan.load("staging"))["Resources"].values()
        if resource["Type"] == "AWS::Logs::MetricFilter"
    )

    assert metric["FilterPattern"] == f'{{ $.event = "{line["event"]}" && $.waiting = * }}'
    assert metric["MetricTransformations"][0]["MetricValue"] == "$.waiting"
    assert (line["waiting"], line["log_level"]) == (0, "info")


def test_the_connections_of_all_tasks_are_counted(files):
    folder = files("production.toml", 'LOG_LEVEL = "INFO"', "WEB_THREADS = 8\nDATABASE_POOL = 6")
    found = plan.load("production", folder)

    # 10 web of 2 processes, 10 gRPC, 10 workers of one process, 2 beat and 2 relay.
    assert found.connections == {"backend": 10 * 2 * (6 + 1) + 10 * (6 + 1) + 10 * 4 + 2 * 1 + 2 * 2}


def shells(found):
    allowed = base.template(found)["Resources"]["TaskRole"]["Properties"].get("Policies", [])
    resources = services.template(found)["Resources"].values()
    enabled = {r["Properties"]["EnableExecuteCommand"] for r in resources if r["Type"] == "AWS::ECS::Service"}
    return enabled, [action for policy in allowed for action in policy["PolicyDocument"]["Statement"][0]["Action"]]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_nobody_gets_a_shell_in_a_task_unless_the_values_say_so(files, environment):
    assert shells(plan.load(environment)) == ({False}, [])

    folder = files(f"{environment}.toml", "shell = false", "shell = true")
    enabled, actions = shells(plan.load(environment, folder))
    assert enabled == {True}
    assert actions == [
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    ]
