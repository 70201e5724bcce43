"""Creates an environment's two stacks in moto's AWS, and prints what came of them.

    python deploy/ecs/register.py BASE.json SERVICES.json

Kinds of resources that moto does not know are left out, and named.
"""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws
from moto.cloudformation.parsing import resource_class_from_type

REGION = "eu-central-1"


def create(name: str, template: dict[str, Any]) -> None:
    formation = boto3.client("cloudformation", region_name=REGION)
    formation.create_stack(
        StackName=name,
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": "Image", "ParameterValue": "registry/backend:1"}],
        Capabilities=["CAPABILITY_IAM"],
    )
    (stack,) = formation.describe_stacks(StackName=name)["Stacks"]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise SystemExit(f"{name}: {stack['StackStatus']}")


def network(text: str) -> str:
    """Put the names that moto gives a network of its own in the place of those that the values file has."""
    ec2 = boto3.client("ec2", region_name=REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    text = text.replace("vpc-00000000000000000", vpc)
    for number, name in enumerate(("stores", "monitoring")):
        group = ec2.create_security_group(GroupName=name, Description=name, VpcId=vpc)["GroupId"]
        text = text.replace(f"sg-0000000000000000{number}", group)
    for number, zone in enumerate("abab", start=1):
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")
        text = text.replace(f"subnet-0000000000000000{number}", subnet["Subnet"]["SubnetId"])
    certificate = boto3.client("acm", region_name=REGION).request_certificate(DomainName="example.com")
    return re.sub(r"arn:aws:acm:[^\"]+", certificate["CertificateArn"], text)


def without_unknown(template: dict[str, Any]) -> dict[str, Any]:
    unknown = {
        name: resource["Type"]
        for name, resource in template["Resources"].items()
        if resource_class_from_type(resource["Type"]) is None
    }
    for kind in sorted(set(unknown.values())):
        print(f"  SKIPPED: moto does not know {kind}")
    for name in unknown:
        del template["Resources"][name]
    return {key: _resolved(value, set(unknown)) for key, value in template.items()}


def _resolved(value: Any, unknown: set[str]) -> Any:
    if isinstance(value, list):
        return [_resolved(item, unknown) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("Fn::GetAtt", [None])[0] in unknown or value.get("Ref") in unknown:
        return "stand-in"
    return {key: _resolved(item, unknown) for key, item in value.items()}


@mock_aws
def main(*templates: str) -> None:
    texts = network("\0".join(Path(template).read_text() for template in templates)).split("\0")
    declared: list[str] = []
    for path, text in zip(templates, texts, strict=True):
        template = without_unknown(json.loads(text))
        declared += [resource["Type"] for resource in template["Resources"].values()]
        create(Path(path).stem, template)
    ecs = boto3.client("ecs", region_name=REGION)
    (cluster,) = ecs.list_clusters()["clusterArns"]
    services = ecs.list_services(cluster=cluster)["serviceArns"]
    definitions = ecs.list_task_definitions()["taskDefinitionArns"]
    print(f"{cluster.rpartition('/')[2]}: {len(services)} services, {len(definitions)} task definitions registered")
    expected = declared.count("AWS::ECS::Service"), declared.count("AWS::ECS::TaskDefinition")
    if (len(services), len(definitions)) != expected:
        raise SystemExit(f"expected {expected}")


if __name__ == "__main__":
    os.environ |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    main(*sys.argv[1:])
