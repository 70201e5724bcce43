"""Creates an environment's two stacks in moto's AWS, and prints what came of them.

python deploy/ecs/register.py BASE.json SERVICES.json
"""

import sys
from pathlib import Path

import boto3
from moto import mock_aws

REGION = "eu-central-1"


def create(name: str, template: str, image: str) -> None:
    formation = boto3.client("cloudformation", region_name=REGION)
    formation.create_stack(
        StackName=name,
        TemplateBody=template,
        Parameters=[{"ParameterKey": "Image", "ParameterValue": image}],
        Capabilities=["CAPABILITY_IAM"],
    )
    (stack,) = formation.describe_stacks(StackName=name)["Stacks"]
    if stack["StackStatus"] != "CREATE_COMPLETE":
        raise SystemExit(f"{name}: {stack['StackStatus']}")


def network(text: str) -> str:
    """Put the names that moto gives a network of its own in the place of those that the values file has."""
    ec2 = boto3.client("ec2", region_name=REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    group = ec2.create_security_group(GroupName="stores", Description="stores", VpcId=vpc)["GroupId"]
    text = text.replace("vpc-00000000000000000", vpc).replace("sg-00000000000000000", group)
    for number, zone in enumerate("abab", start=1):
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")
        text = text.replace(f"subnet-0000000000000000{number}", subnet["Subnet"]["SubnetId"])
    return text


@mock_aws
def main(*templates: str) -> None:
    ready = network("\0".join(Path(template).read_text() for template in templates)).split("\0")
    for path, text in zip(templates, ready, strict=True):
        create(Path(path).stem, text, "registry/backend:1")
    ecs = boto3.client("ecs", region_name=REGION)
    (cluster,) = ecs.list_clusters()["clusterArns"]
    services = ecs.list_services(cluster=cluster)["serviceArns"]
    definitions = ecs.list_task_definitions()["taskDefinitionArns"]
    print(f"{cluster.rpartition('/')[2]}: {len(services)} services, {len(definitions)} task definitions registered")
    if len(definitions) <= len(services):
        raise SystemExit("a task that migrates is missing")


if __name__ == "__main__":
    main(*sys.argv[1:])
