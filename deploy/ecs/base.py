"""The stack to stand on: cluster, names, rights, logs, balancer, and the tasks that migrate.

It is deployed first, so that migrations run from the new image while the old one still serves.
"""

from typing import Any

from deploy.ecs.plan import Plan, Task
from deploy.ecs.tasks import Resources, log_group, task_definition

EXPORTS = ("Cluster", "Namespace", "ExecutionRole", "TaskRole", "TaskGroup")


def template(plan: Plan) -> dict[str, Any]:
    resources = _network(plan) | _rights(plan) | _balancer(plan) | _logs(plan)
    shared = {name: {"Fn::GetAtt": [name, "Arn"]} for name in ("ExecutionRole", "TaskRole")}
    resources |= {f"{task.id}Task": task_definition(plan, task, shared) for task in plan.migrations}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"{plan.name}: what its services stand on",
        "Parameters": {"Image": {"Type": "String"}},
        "Resources": resources,
        "Outputs": _outputs(plan),
    }


def target_group(task: Task) -> str:
    return f"{task.id}Targets"


def _network(plan: Plan) -> Resources:
    vpc = plan.aws["vpc"]
    # From the balancer where there is a port that it serves, from who reads the metrics, and below from each other.
    balancer = {"Fn::GetAtt": ["BalancerGroup", "GroupId"]}
    to_tasks = [_ingress(port, SourceSecurityGroupId=balancer) for port in (8000, 50051)]
    if plan.metrics_ports:
        to_tasks.append(_ingress(*plan.metrics_ports, SourceSecurityGroupId=plan.aws["monitoring"]))
    return {
        "Cluster": {
            "Type": "AWS::ECS::Cluster",
            "Properties": {
                "ClusterName": plan.name,
                "ClusterSettings": [{"Name": "containerInsights", "Value": "enabled"}],
            },
        },
        "Namespace": {
            "Type": "AWS::ServiceDiscovery::PrivateDnsNamespace",
            "Properties": {"Name": plan.namespace, "Vpc": vpc},
        },
        "TaskGroup": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {
                "GroupDescription": "The tasks",
                "VpcId": vpc,
                "SecurityGroupIngress": to_tasks,
            },
        },
        "TaskGroupItself": {
            "Type": "AWS::EC2::SecurityGroupIngress",
            "Properties": {
                "GroupId": {"Fn::GetAtt": ["TaskGroup", "GroupId"]},
                **_ingress(50051, SourceSecurityGroupId={"Fn::GetAtt": ["TaskGroup", "GroupId"]}),
            },
        },
        "BalancerGroup": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {
                "GroupDescription": "The balancer",
                "VpcId": vpc,
                "SecurityGroupIngress": [_ingress(port, CidrIp="0.0.0.0/0") for port in (80, 443, 50051)],
            },
        },
    }


def _ingress(port: int, last_port: int | None = None, **source: Any) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": last_port or port, **source}


def _rights(plan: Plan) -> Resources:
    path = f"parameter/{plan.project}/{plan.environment}/*"
    arn = {"Fn::Sub": f"arn:${{AWS::Partition}}:ssm:${{AWS::Region}}:${{AWS::AccountId}}:{path}"}
    read = {"Effect": "Allow", "Action": ["ssm:GetParameters"], "Resource": [arn]}
    managed = {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"}
    return {
        "ExecutionRole": _role(
            ManagedPolicyArns=[managed],
            Policies=[{"PolicyName": "secrets", "PolicyDocument": {"Version": "2012-10-17", "Statement": [read]}}],
        ),
        # The programs themselves ask nothing of AWS.
        "TaskRole": _role(Policies=[_SHELL]) if plan.opens_shells else _role(),
    }


# What the agent in a container needs, through which `aws ecs execute-command` reaches it.
_SHELL = {
    "PolicyName": "shell",
    "PolicyDocument": {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": [
                    f"ssmmessages:{verb}{kind}Channel" for verb in ("Create", "Open") for kind in ("Control", "Data")
                ],
                "Resource": "*",
            }
        ],
    },
}


def _role(**properties: Any) -> dict[str, Any]:
    trust = {"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = {"Version": "2012-10-17", "Statement": [trust]}
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document, **properties}}


def _balancer(plan: Plan) -> Resources:
    resources: Resources = {
        "Balancer": {
            "Type": "AWS::ElasticLoadBalancingV2::LoadBalancer",
            "Properties": {
                "Type": "application",
                "Scheme": "internet-facing",
                "Subnets": plan.aws["balancer_subnets"],
                "SecurityGroups": [{"Fn::GetAtt": ["BalancerGroup", "GroupId"]}],
                "LoadBalancerAttributes": [
                    {"Key": "routing.http.drop_invalid_header_fields.enabled", "Value": "true"},
                    {"Key": "routing.http.xff_header_processing.mode", "Value": "append"},
                ],
            },
        },
        "ToHttps": {
            "Type": "AWS::ElasticLoadBalancingV2::Listener",
            "Properties": {
                "LoadBalancerArn": {"Ref": "Balancer"},
                "Port": 80,
                "Protocol": "HTTP",
                "DefaultActions": [
                    {
                        "Type": "redirect",
                        "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"},
                    }
                ],
            },
        },
    }
    for task in plan.services:
        if task.is_public:
            resources[target_group(task)] = _targets(plan, task)
            resources[f"{task.id}Listener"] = _listener(plan, task)
    return resources


def _targets(plan: Plan, task: Task) -> dict[str, Any]:
    health = (
        {"HealthCheckPath": "/health/live", "Matcher": {"HttpCode": "200"}}
        if task.role == "web"
        else {"HealthCheckPath": "/grpc.health.v1.Health/Check", "Matcher": {"GrpcCode": "0"}}
    )
    return {
        "Type": "AWS::ElasticLoadBalancingV2::TargetGroup",
        "Properties": {
            "VpcId": plan.aws["vpc"],
            "TargetType": "ip",
            "Protocol": "HTTP",
            "ProtocolVersion": "HTTP1" if task.role == "web" else "GRPC",
            "Port": task.port,
            "HealthCheckIntervalSeconds": 10,
            "HealthCheckTimeoutSeconds": 5,
            "HealthyThresholdCount": 2,
            "UnhealthyThresholdCount": 3,
            **health,
            "TargetGroupAttributes": [{"Key": "deregistration_delay.timeout_seconds", "Value": str(task.drain)}],
        },
    }


def _listener(plan: Plan, task: Task) -> dict[str, Any]:
    return {
        "Type": "AWS::ElasticLoadBalancingV2::Listener",
        "Properties": {
            "LoadBalancerArn": {"Ref": "Balancer"},
            "Port": 443 if task.role == "web" else task.port,
            "Protocol": "HTTPS",
            "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
            "Certificates": [{"CertificateArn": plan.aws["certificate"]}],
            "DefaultActions": [{"Type": "forward", "TargetGroupArn": {"Ref": target_group(task)}}],
        },
    }


def _logs(plan: Plan) -> Resources:
    return {
        f"{task.id}Logs": {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"LogGroupName": log_group(plan, task), "RetentionInDays": plan.aws["log_days"]},
        }
        for task in plan.tasks
    }


def _outputs(plan: Plan) -> dict[str, Any]:
    values: dict[str, Any] = {
        "Cluster": {"Ref": "Cluster"},
        "Namespace": {"Fn::GetAtt": ["Namespace", "Id"]},
        "ExecutionRole": {"Fn::GetAtt": ["ExecutionRole", "Arn"]},
        "TaskRole": {"Fn::GetAtt": ["TaskRole", "Arn"]},
        "TaskGroup": {"Fn::GetAtt": ["TaskGroup", "GroupId"]},
        **{target_group(task): {"Ref": target_group(task)} for task in plan.services if task.is_public},
    }
    outputs = {name: {"Value": value, "Export": {"Name": f"{plan.name}-base-{name}"}} for name, value in values.items()}
    # For the script that deploys.
    migrations = ",".join(f"${{{task.id}Task}}" for task in plan.migrations)
    return outputs | {
        "Migrations": {"Value": {"Fn::Sub": migrations}},
        "Subnets": {"Value": ",".join(plan.aws["subnets"])},
        "SecurityGroups": {"Value": {"Fn::Sub": f"${{TaskGroup.GroupId}},{plan.aws['store_access']}"}},
        "Address": {"Value": {"Fn::GetAtt": ["Balancer", "DNSName"]}},
    }
