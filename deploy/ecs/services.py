"""The stack of what serves: a service for each role, found by name or by the balancer, and scaled."""

from typing import Any

from deploy.ecs.base import target_group
from deploy.ecs.plan import Plan, Task
from deploy.ecs.tasks import Resources, log_group, task_definition

BUSY = 60  # percent of CPU at which another task is started
LONG_QUEUE = 100  # waiting tasks for each worker at which another is started


def template(plan: Plan) -> dict[str, Any]:
    resources: Resources = {}
    for task in plan.services:
        resources |= _service(plan, task)
        if task.size.max > task.size.min:
            resources |= _scaling(plan, task)
    resources |= _queue_length(plan)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{plan.name}: what serves",
        "Parameters": {"Image": {"Type": "String"}},
        "Resources": resources,
    }


def _import(plan: Plan, name: str) -> dict[str, str]:
    return {"Fn::ImportValue": f"{plan.name}-base-{name}"}


def _service(plan: Plan, task: Task) -> Resources:
    shared = {name: _import(plan, name) for name in ("ExecutionRole", "TaskRole")}
    properties: dict[str, Any] = {
        "ServiceName": task.name,
        "Cluster": _import(plan, "Cluster"),
        "LaunchType": "FARGATE",
        "TaskDefinition": {"Ref": f"{task.id}Task"},
        "PropagateTags": "SERVICE",
        "EnableExecuteCommand": plan.opens_shells,
        "DeploymentConfiguration": {
            "MinimumHealthyPercent": 100,
            "MaximumPercent": 200,
            "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
        },
        "NetworkConfiguration": {
            "AwsvpcConfiguration": {
                "Subnets": plan.aws["subnets"],
                "SecurityGroups": [_import(plan, "TaskGroup"), plan.aws["store_access"]],
            }
        },
    }
    # A count given here would undo what the scaling has done, at each deploy.
    if task.size.max == task.size.min:
        properties["DesiredCount"] = task.size.min
    resources: Resources = {f"{task.id}Task": task_definition(plan, task, shared)}
    if task.is_public:
        target = {
            "ContainerName": task.role,
            "ContainerPort": task.port,
            "TargetGroupArn": _import(plan, target_group(task)),
        }
        properties |= {"LoadBalancers": [target], "HealthCheckGracePeriodSeconds": 60}
    if task.role == "grpc":
        resources[f"{task.id}Name"] = _name(plan, task)
        properties["ServiceRegistries"] = [{"RegistryArn": {"Fn::GetAtt": [f"{task.id}Name", "Arn"]}}]
    resources[f"{task.id}Service"] = {"Type": "AWS::ECS::Service", "Properties": properties}
    return resources


def _name(plan: Plan, task: Task) -> dict[str, Any]:
    # The addresses of all tasks: clients spread their calls over them.
    return {
        "Type": "AWS::ServiceDiscovery::Service",
        "Properties": {
            "Name": task.name,
            "NamespaceId": _import(plan, "Namespace"),
            "DnsConfig": {"RoutingPolicy": "MULTIVALUE", "DnsRecords": [{"Type": "A", "TTL": 10}]},
            "HealthCheckCustomConfig": {"FailureThreshold": 1},
        },
    }


def _scaling(plan: Plan, task: Task) -> Resources:
    resources: Resources = {
        f"{task.id}Scale": {
            "Type": "AWS::ApplicationAutoScaling::ScalableTarget",
            "DependsOn": f"{task.id}Service",
            "Properties": {
                "ServiceNamespace": "ecs",
                "ScalableDimension": "ecs:service:DesiredCount",
                "ResourceId": {"Fn::Join": ["/", ["service", _import(plan, "Cluster"), task.name]]},
                "MinCapacity": task.size.min,
                "MaxCapacity": task.size.max,
            },
        },
        f"{task.id}ScaleOnCpu": _policy(
            task,
            "cpu",
            BUSY,
            PredefinedMetricSpecification={"PredefinedMetricType": "ECSServiceAverageCPUUtilization"},
        ),
    }
    if task.role == "worker":
        resources[f"{task.id}ScaleOnQueue"] = _policy(
            task, "queue", LONG_QUEUE, CustomizedMetricSpecification={"Metrics": _waiting_per_worker(plan, task)}
        )
    return resources


def _policy(task: Task, what: str, target: int, **metric: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::ApplicationAutoScaling::ScalingPolicy",
        "Properties": {
            "PolicyName": f"{task.name}-{what}",
            "PolicyType": "TargetTrackingScaling",
            "ScalingTargetId": {"Ref": f"{task.id}Scale"},
            "TargetTrackingScalingPolicyConfiguration": {
                "TargetValue": target,
                "ScaleOutCooldown": 60,
                "ScaleInCooldown": 300,
                **metric,
            },
        },
    }


def _waiting_per_worker(plan: Plan, task: Task) -> list[dict[str, Any]]:
    cluster = {"Name": "ClusterName", "Value": plan.name}
    service = {"Name": "ServiceName", "Value": task.name}
    return [
        {
            "Id": "waiting",
            "ReturnData": False,
            "MetricStat": {
                "Stat": "Maximum",
                "Metric": {"Namespace": plan.name, "MetricName": f"{task.installation}-waiting"},
            },
        },
        {
            "Id": "workers",
            "ReturnData": False,
            "MetricStat": {
                "Stat": "Average",
                "Metric": {
                    "Namespace": "ECS/ContainerInsights",
                    "MetricName": "RunningTaskCount",
                    "Dimensions": [cluster, service],
                },
            },
        },
        {"Id": "each", "Expression": "waiting / workers", "ReturnData": True},
    ]


def _queue_length(plan: Plan) -> Resources:
    """The relay logs how many tasks wait, and CloudWatch makes a metric of the line: no task needs rights for it."""
    return {
        f"{task.id}Waiting": {
            "Type": "AWS::Logs::MetricFilter",
            "Properties": {
                "LogGroupName": log_group(plan, task),
                "FilterPattern": '{ $.event = "queue" && $.waiting = * }',
                "MetricTransformations": [
                    {
                        "MetricNamespace": plan.name,
                        "MetricName": f"{task.installation}-waiting",
                        "MetricValue": "$.waiting",
                    }
                ],
            },
        }
        for task in plan.services
        if task.role == "relay"
    }
