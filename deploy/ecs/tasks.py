"""Task definitions: what one container of a role is."""

from typing import Any

from deploy.ecs.plan import Plan, Task

Resources = dict[str, dict[str, Any]]


def task_definition(plan: Plan, task: Task, shared: dict[str, Any]) -> dict[str, Any]:
    """`shared` says how the stack refers to ExecutionRole and TaskRole."""
    return {
        "Type": "AWS::ECS::TaskDefinition",
        "Properties": {
            "Family": f"{plan.name}-{task.name}",
            "RequiresCompatibilities": ["FARGATE"],
            "NetworkMode": "awsvpc",
            "Cpu": str(task.size.cpu),
            "Memory": str(task.size.memory),
            "ExecutionRoleArn": shared["ExecutionRole"],
            "TaskRoleArn": shared["TaskRole"],
            "ContainerDefinitions": [_container(plan, task)],
        },
    }


def log_group(plan: Plan, task: Task) -> str:
    return f"/{plan.project}/{plan.environment}/{task.name}"


def _container(plan: Plan, task: Task) -> dict[str, Any]:
    container: dict[str, Any] = {
        "Name": task.role,
        "Image": {"Ref": "Image"},
        "Command": [task.role],
        "Essential": True,
        "StopTimeout": task.stop_timeout,
        "Environment": [{"Name": name, "Value": value} for name, value in sorted(task.variables.items())],
        "Secrets": [{"Name": name, "ValueFrom": _parameter(plan, task, name)} for name in task.secrets],
        "LogConfiguration": {
            "LogDriver": "awslogs",
            "Options": {
                "awslogs-group": log_group(plan, task),
                "awslogs-region": {"Ref": "AWS::Region"},
                "awslogs-stream-prefix": task.role,
            },
        },
    }
    if task.port:
        container["PortMappings"] = [{"ContainerPort": task.port}]
    if task.role != "migrate":
        container["HealthCheck"] = {
            "Command": ["CMD", "python", "deploy/healthcheck.py"],
            "Interval": 10,
            "Timeout": 5,
            "Retries": 3,
            "StartPeriod": 60,
        }
    return container


def _parameter(plan: Plan, task: Task, name: str) -> dict[str, str]:
    path = f"{plan.project}/{plan.environment}/{task.installation}/{name}"
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:ssm:${{AWS::Region}}:${{AWS::AccountId}}:parameter/{path}"}
