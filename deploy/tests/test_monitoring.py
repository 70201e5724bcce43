"""The dashboard and the alerts ask for metrics that exist, and all of those."""

import json
import re

import prometheus_client
import yaml
from django.conf import settings

import framework.observe.metrics  # noqa: F401 - declares the metrics
from framework.observe import collectors

DEPLOY = settings.BASE_DIR / "deploy"
DASHBOARD = DEPLOY / "grafana" / "dashboard.json"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"


def known_series() -> set[str]:
    """All that a process of ours can tell, under the names that Prometheus stores."""
    found = {"up"}
    for family in [*prometheus_client.REGISTRY.collect(), *collectors.Release().collect()]:
        suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        found |= {family.name + suffix for suffix in suffixes}
    return found | {"queue_rows", "queue_oldest_due_seconds", "heartbeat_age_seconds", "broker_messages"}


def series_in(expression: str) -> set[str]:
    """The names in a query that are followed by a selector or a range: no function, no label."""
    outside = re.sub(r"\{[^}]*\}", "{}", expression)
    outside = re.sub(r"\b(by|without|on|ignoring|group_left)\s*\([^)]*\)", "", outside)
    words = set(re.findall(r"[a-z_]\w*(?!\w|\s*\()", outside)) - {"and", "or", "unless", "by", "m", "s", "h", "bool"}
    return {word for word in words if not re.fullmatch(r"\$?__\w+|\d\w*", word)}


def alerts():
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    return group["rules"]


def panels():
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if panel["type"] != "row"]


def test_every_alert_has_what_its_reader_needs():
    for rule in alerts():
        assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}, rule
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert re.fullmatch(r"\d+[smh]", rule["for"])
        assert rule["annotations"].keys() == {"summary"}


def test_every_alert_stands_in_the_runbook():
    runbook = (settings.BASE_DIR / "docs" / "operate.md").read_text()

    assert [rule["alert"] for rule in alerts() if f"### {rule['alert']}\n" not in runbook] == []
    assert sorted(re.findall(r"^### ([A-Z]\w+)$", runbook, re.M)) == sorted(rule["alert"] for rule in alerts())


def test_every_panel_asks_something_and_has_a_place():
    assert len({panel["id"] for panel in panels()}) == len(panels()) >= 10
    for panel in panels():
        assert panel["title"]
        assert panel["targets"]
        assert panel["gridPos"].keys() == {"h", "w", "x", "y"}


def test_every_metric_that_is_asked_for_exists():
    asked = [rule["expr"] for rule in alerts()]
    asked += [target["expr"] for panel in panels() for target in panel["targets"]]

    assert all(series_in(query) for query in asked)
    assert set().union(*map(series_in, asked)) - known_series() == set()


def test_every_metric_is_on_the_dashboard():
    shown = set().union(*(series_in(target["expr"]) for panel in panels() for target in panel["targets"]))
    ours = {name for name in known_series() if not name.startswith(("python_", "process_")) and name != "up"}

    assert {re.sub("_(bucket|sum|count)$", "", name) for name in ours} - {
        re.sub("_(bucket|sum|count)$", "", name) for name in shown
    } == set()
