#!/bin/sh
# Migrates from the new image, then rolls the services over to it.
#   deploy/ecs/deploy.sh staging 123456789012.dkr.ecr.eu-central-1.amazonaws.com/backend:1.4.0
# Where it stops, it may be run again. A roll that fails goes back by itself; a migration does not.
set -eu
cd "$(dirname "$0")/../.."

environment=$1
image=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

.venv/bin/python -m deploy.ecs --env "$environment" --output "$folder"
project=$(sed -n 's/.*"Description": "\(.*\)-[a-z]*: what its services stand on".*/\1/p' "$folder/$environment-base.json")

deploy() {
    aws cloudformation deploy --stack-name "$project-$environment-$1" --template-file "$folder/$environment-$1.json" \
        --parameter-overrides "Image=$image" --capabilities CAPABILITY_IAM --no-fail-on-empty-changeset
}

output() {
    aws cloudformation describe-stacks --stack-name "$project-$environment-base" --output text \
        --query "Stacks[0].Outputs[?OutputKey=='$1'].OutputValue"
}

migrate() {
    network="awsvpcConfiguration={subnets=[$(output Subnets)],securityGroups=[$(output SecurityGroups)]}"
    task=$(aws ecs run-task --cluster "$cluster" --launch-type FARGATE --task-definition "$1" \
        --network-configuration "$network" --query 'tasks[0].taskArn' --output text)
    aws ecs wait tasks-stopped --cluster "$cluster" --tasks "$task"
    code=$(aws ecs describe-tasks --cluster "$cluster" --tasks "$task" \
        --query 'tasks[0].containers[0].exitCode' --output text)
    [ "$code" = 0 ] || { echo "deploy: $1 ended with $code; nothing was rolled. See its log group." >&2; exit 1; }
}

deploy base
cluster=$(output Cluster)
for definition in $(output Migrations | tr ',' ' '); do
    migrate "$definition"
done
deploy services
